// A filter in Go, with nothing but the compiler: adds a header to every response and logs the path of the request.
package main

import (
	"unsafe"
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, message unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, valueSize unsafe.Pointer) uint32

//go:wasmimport env proxy_replace_header_map_value
func replaceHeader(kind uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, valueSize uint32) uint32

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// What the host asked for stays here until the next answer.
var answers [][]byte

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	answer := make([]byte, size+1)
	answers = append(answers, answer)
	return unsafe.Pointer(&answer[0])
}

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	name := ":path"
	var data, size uint32
	if getHeader(0, unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), unsafe.Pointer(&data), unsafe.Pointer(&size)) == 0 {
		path := answers[len(answers)-1][:size]
		message := append([]byte("path "), path...)
		proxyLog(2, unsafe.Pointer(&message[0]), uint32(len(message)))
	}
	answers = nil
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, endOfStream uint32) uint32 {
	name, value := "x-language", "go"
	replaceHeader(2, unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), unsafe.Pointer(unsafe.StringData(value)), uint32(len(value)))
	return 0
}

func main() {}
