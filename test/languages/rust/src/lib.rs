//! The filter in Rust, with the crate `proxy-wasm`; tells its configuration, a property and what it has counted, too.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { configuration: String::new() }));
}}

struct Root {
    configuration: String,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        self.configuration = String::from_utf8(bytes).unwrap();
        self.set_tick_period(Duration::from_millis(50));
        true
    }

    fn on_tick(&mut self) {
        self.set_tick_period(Duration::ZERO);
        log("tick");
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Filter { configuration: self.configuration.clone() }))
    }
}

struct Filter {
    configuration: String,
}

impl Filter {
    fn count(&self) -> String {
        let (value, cas) = self.get_shared_data("streams");
        let number = value.map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
        let next = (number + 1).to_le_bytes();
        let stale = self.set_shared_data("streams", Some(&next), cas.map(|cas| cas + 1));
        let fresh = self.set_shared_data("streams", Some(&next), cas);
        format!("{stale:?} {fresh:?} {number}")
    }
}

impl Context for Filter {}

impl HttpContext for Filter {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        log(&format!("path {path}"));
        if path == "/trap" {
            panic!("asked to");
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let property = self.get_property(vec!["plugin_name"]).unwrap_or_default();
        self.set_http_response_header("x-language", Some("rust"));
        self.set_http_response_header("x-config", Some(&self.configuration));
        self.set_http_response_header("x-property", std::str::from_utf8(&property).ok());
        self.set_http_response_header("x-shared", Some(&self.count()));
        Action::Continue
    }
}

fn log(line: &str) {
    proxy_wasm::hostcalls::log(LogLevel::Info, line).unwrap();
}
