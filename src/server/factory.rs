//! A type-erased handler factory, which can be sent to every worker.

use actix::Addr;

use crate::session::{HandlerFactory, HttpHandler, HttpSession};

/// Makes handlers; each worker gets a copy.
pub(super) struct BoxFactory(Box<dyn Make>);

trait Make: Send {
    fn make(&self, session: Addr<HttpSession>) -> Box<dyn HttpHandler>;
    fn copy(&self) -> Box<dyn Make>;
}

impl<F: HandlerFactory + Send + Clone + 'static> Make for F {
    fn make(&self, session: Addr<HttpSession>) -> Box<dyn HttpHandler> {
        Box::new(self.handler(session))
    }

    fn copy(&self) -> Box<dyn Make> {
        Box::new(self.clone())
    }
}

impl BoxFactory {
    pub(super) fn new<F: HandlerFactory + Send + Clone + 'static>(factory: F) -> Self {
        Self(Box::new(factory))
    }

    pub(super) fn make(&self, session: Addr<HttpSession>) -> Box<dyn HttpHandler> {
        self.0.make(session)
    }
}

impl Clone for BoxFactory {
    fn clone(&self) -> Self {
        Self(self.0.copy())
    }
}
