//! A real HTTP server that hands on what it is posted, and answers 200.

use std::sync::{Arc, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};

type Take = dyn Fn(&str, &[u8]) + Send + Sync;

/// Stops when dropped.
pub(crate) struct Listener {
    port: u16,
    server: ServerHandle,
}

impl Listener {
    pub(crate) fn start(take: impl Fn(&str, &[u8]) + Send + Sync + 'static) -> Self {
        let take: Arc<Take> = Arc::new(take);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let app = move || {
                    let answer = async |take: Data<Take>, request: HttpRequest, body: Bytes| {
                        take(request.path(), &body);
                        HttpResponse::Ok().finish()
                    };
                    App::new()
                        .app_data(Data::from(take.clone()))
                        .app_data(PayloadConfig::new(16 * 1024 * 1024))
                        .default_service(web::to(answer))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).unwrap();
                let port = server.addrs()[0].port();
                let server = server.run();
                tell.send((port, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (port, server) = told.recv().unwrap();
        Self { port, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}
