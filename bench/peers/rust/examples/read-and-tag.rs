use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(ReadAndTag));
}}

struct ReadAndTag;

impl Context for ReadAndTag {}

impl HttpContext for ReadAndTag {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let path = self.get_http_request_header(":path");
        let authority = self.get_http_request_header(":authority");
        let agent = self.get_http_request_header("user-agent");
        if let (Some(path), Some(authority), Some(_)) = (path, authority, agent) {
            self.set_http_request_header("x-seen", Some(&(authority + &path)));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.set_http_response_header("x-service-name", Some("my-custom-service"));
        Action::Continue
    }
}
