use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(LocalReply));
}}

struct LocalReply;

impl Context for LocalReply {}

impl HttpContext for LocalReply {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let host = self.get_http_request_header(":authority").unwrap_or_default();
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let host = if host.is_empty() { "-" } else { &host };
        let path = if path.is_empty() { "-" } else { &path };
        proxy_wasm::hostcalls::log(LogLevel::Info, &format!("host {host} path {path}")).unwrap();
        self.send_http_response(200, vec![("x-service-name", "my-custom-service")], Some(b"Hello from Wasm!\n"));
        Action::Pause
    }
}
