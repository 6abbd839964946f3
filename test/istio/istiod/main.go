// Istio's control plane without Kubernetes: istiod's discovery server, as Istio's own tests put it together, with objects
// from a file. Each line on stdin names the file that holds all of them from then on; each is answered with "applied".
//
//	istiod -xds 127.0.0.1:PORT -mesh FILE
//
// pilot-discovery itself does not start without a cluster, and would not translate WasmPlugins from files.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"reflect"
	"time"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/test"
)

// program is what Istio's test fixture takes for a running test.
type program struct{ cleanups []func() }

var _ test.Failer = &program{}

func (p *program) Fail()                             { die("failed") }
func (p *program) FailNow()                          { die("failed") }
func (p *program) Fatal(args ...any)                 { die(fmt.Sprint(args...)) }
func (p *program) Fatalf(format string, args ...any) { die(fmt.Sprintf(format, args...)) }
func (p *program) Skip(args ...any)                  { die(fmt.Sprint(args...)) }
func (p *program) Log(args ...any)                   { fmt.Fprintln(os.Stderr, args...) }
func (p *program) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (p *program) TempDir() string                   { return os.TempDir() }
func (p *program) Helper()                           {}
func (p *program) Cleanup(cleanup func())            { p.cleanups = append(p.cleanups, cleanup) }

func die(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func main() {
	address := flag.String("xds", "", "where proxies connect, without TLS")
	meshFile := flag.String("mesh", "", "a file with the MeshConfig")
	flag.Parse()
	text, err := os.ReadFile(*meshFile)
	if err != nil {
		die(err.Error())
	}
	meshConfig, err := mesh.ApplyMeshConfig(string(text), mesh.DefaultMeshConfig())
	if err != nil {
		die(err.Error())
	}
	fixture := &program{}
	server := xds.NewFakeDiscoveryServer(fixture, xds.FakeOptions{
		MeshConfig:                 meshConfig,
		DebounceTime:               20 * time.Millisecond,
		DisableSecretAuthorization: true,
		ListenerBuilder:            func() (net.Listener, error) { return net.Listen("tcp", *address) },
	})
	stored := map[string]config.Config{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := apply(server, stored, lines.Text()); err != nil {
			die(err.Error())
		}
		fmt.Println("applied")
	}
	for _, cleanup := range fixture.cleanups {
		cleanup()
	}
}

// apply makes the objects of a file those that there are.
func apply(server *xds.FakeDiscoveryServer, stored map[string]config.Config, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	objects, unknown, err := crd.ParseInputs(string(text))
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%s is no kind of Istio's", unknown[0].Kind)
	}
	wanted := map[string]bool{}
	for _, object := range objects {
		if object.Namespace == "" {
			object.Namespace = "default"
		}
		object.Domain = "cluster.local"
		key := object.Key()
		wanted[key] = true
		old, found := stored[key]
		switch {
		case !found:
			_, err = server.Store().Create(object)
		case reflect.DeepEqual(old.Spec, object.Spec) && reflect.DeepEqual(old.Annotations, object.Annotations):
			continue
		default:
			object.ResourceVersion = server.Store().Get(object.GroupVersionKind, object.Name, object.Namespace).ResourceVersion
			_, err = server.Store().Update(object)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		stored[key] = object
	}
	for key, object := range stored {
		if wanted[key] {
			continue
		}
		if err := server.Store().Delete(object.GroupVersionKind, object.Name, object.Namespace, nil); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		delete(stored, key)
	}
	return nil
}
