// Fetches modules with the code that runs in Istio's agent, and prints what came of each reference as a line of JSON.
//
//	fetch [-sha256 DIGITS] oci://host/repository:tag …
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/wasm"
)

// What the agent is told when a WasmPlugin says nothing else.
const timeout = 30 * time.Second

type outcome struct {
	Reference string `json:"reference"`
	// Of the module that was fetched, empty when none was.
	SHA256 string `json:"sha256,omitempty"`
	// Why not, in Istio's words.
	Error string `json:"error,omitempty"`
}

func main() {
	pin := flag.String("sha256", "", "what the module's or image's digest must be")
	flag.Parse()
	if err := run(flag.Args(), *pin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(references []string, pin string) error {
	quiet := log.DefaultOptions()
	quiet.SetDefaultOutputLevel("wasm", log.NoneLevel)
	quiet.OutputPaths = []string{"stderr"}
	if err := log.Configure(quiet); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "istio-modules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	cache := wasm.NewLocalFileCache(folder, wasm.Options{
		HTTPRequestTimeout:    wasm.DefaultHTTPRequestTimeout,
		HTTPRequestMaxRetries: wasm.DefaultHTTPRequestMaxRetries,
	})
	defer cache.Cleanup()
	lines := json.NewEncoder(os.Stdout)
	lines.SetEscapeHTML(false)
	for i, reference := range references {
		if err := lines.Encode(fetch(cache, reference, pin, i)); err != nil {
			return err
		}
	}
	return nil
}

func fetch(cache wasm.Cache, reference, pin string, number int) outcome {
	file, err := cache.Get(reference, wasm.GetOptions{
		Checksum:        pin,
		ResourceName:    fmt.Sprintf("test.filter-%d", number),
		ResourceVersion: "1",
		RequestTimeout:  timeout,
	})
	if err != nil {
		return outcome{Reference: reference, Error: err.Error()}
	}
	module, err := os.ReadFile(file)
	if err != nil {
		return outcome{Reference: reference, Error: err.Error()}
	}
	return outcome{Reference: reference, SHA256: fmt.Sprintf("%x", sha256.Sum256(module))}
}
