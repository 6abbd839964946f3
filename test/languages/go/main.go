// The filter in Go, with nothing but the compiler; tells its configuration, a property and what it has counted, too.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, message unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func setTickPeriod(milliseconds uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind, start, size uint32, value, valueSize unsafe.Pointer) uint32

//go:wasmimport env proxy_get_property
func getProperty(path unsafe.Pointer, pathSize uint32, value, valueSize unsafe.Pointer) uint32

//go:wasmimport env proxy_get_shared_data
func getShared(key unsafe.Pointer, keySize uint32, value, valueSize, cas unsafe.Pointer) uint32

//go:wasmimport env proxy_set_shared_data
func setShared(key unsafe.Pointer, keySize uint32, value unsafe.Pointer, valueSize, cas uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key unsafe.Pointer, keySize uint32, value, valueSize unsafe.Pointer) uint32

//go:wasmimport env proxy_replace_header_map_value
func replaceHeader(kind uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, valueSize uint32) uint32

const pluginConfiguration = 7

// What the host asked for stays here until it is taken.
var answers = map[uintptr][]byte{}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	answer := make([]byte, size)
	at := unsafe.Pointer(unsafe.SliceData(answer))
	answers[uintptr(at)] = answer
	return at
}

// take gives the answer of a host call that wrote its place and its size.
func take(status uint32, data, size uint32) (string, bool) {
	if status != 0 {
		return "", false
	}
	answer := answers[uintptr(data)]
	delete(answers, uintptr(data))
	return string(answer[:size]), true
}

func text(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

func logInfo(format string, values ...any) {
	message, size := text(fmt.Sprintf(format, values...))
	proxyLog(2, message, size)
}

func header(name string) string {
	var data, size uint32
	key, keySize := text(name)
	status := getHeader(0, key, keySize, unsafe.Pointer(&data), unsafe.Pointer(&size))
	value, _ := take(status, data, size)
	return value
}

func setHeader(name, value string) {
	key, keySize := text(name)
	data, size := text(value)
	replaceHeader(2, key, keySize, data, size)
}

func property(path string) string {
	var data, size uint32
	at, atSize := text(path)
	status := getProperty(at, atSize, unsafe.Pointer(&data), unsafe.Pointer(&size))
	value, _ := take(status, data, size)
	return value
}

func shared(name string) (count, cas uint32) {
	var data, size uint32
	key, keySize := text(name)
	status := getShared(key, keySize, unsafe.Pointer(&data), unsafe.Pointer(&size), unsafe.Pointer(&cas))
	if value, found := take(status, data, size); found {
		count = binary.LittleEndian.Uint32([]byte(value))
	}
	return count, cas
}

func share(name string, count, cas uint32) (status uint32) {
	key, keySize := text(name)
	value := binary.LittleEndian.AppendUint32(nil, count)
	return setShared(key, keySize, unsafe.Pointer(&value[0]), 4, cas)
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

var configuration string

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 {
	var data, dataSize uint32
	status := getBuffer(pluginConfiguration, 0, size, unsafe.Pointer(&data), unsafe.Pointer(&dataSize))
	configuration, _ = take(status, data, dataSize)
	setTickPeriod(50)
	return 1
}

//go:wasmexport proxy_on_tick
func onTick(context uint32) {
	setTickPeriod(0)
	logInfo("tick")
}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	path := header(":path")
	logInfo("path %s", path)
	fmt.Println("to standard output")
	fmt.Fprintln(os.Stderr, "to standard error")
	if path == "/trap" {
		panic("asked to")
	}
	if path == "/exit" {
		os.Exit(3)
	}
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, endOfStream uint32) uint32 {
	number, cas := shared("streams")
	setHeader("x-language", "go")
	setHeader("x-config", configuration)
	setHeader("x-property", property("plugin_name"))
	setHeader("x-shared", fmt.Sprint(share("streams", number+1, cas+1), share("streams", number+1, cas), number))
	return 0
}

func main() {}
