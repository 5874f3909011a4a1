//! The runtime in which everything here waits.

use std::future::Future;
use std::io;

#[cfg(feature = "embedded")]
use tokio::runtime::Handle;
use tokio::runtime::Runtime;

use crate::{Delivery, Error, ErrorKind};

/// The runtime in which everything here happens, and the daemon in it, if there is one.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    #[cfg(feature = "embedded")]
    pub(super) local: Option<crate::Process>,
}

impl Waiter {
    /// One thread works for it, so that connections stay alive while no thread waits.
    pub(super) fn with_runtime() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error: io::Error| {
            let message = "cannot start a runtime";
            Error::new(ErrorKind::Connect, Delivery::NotSent, message).with_source(error)
        })?;
        Ok(Self {
            runtime: Some(runtime),
            #[cfg(feature = "embedded")]
            local: None,
        })
    }

    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }

    /// Calls `act` where tasks can be started.
    pub(super) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        let _entered = self.runtime().enter();
        act()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("present until it is dropped")
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        #[cfg(feature = "embedded")]
        if let Some(local) = self.local.take() {
            let end = move || {
                runtime.block_on(local.shutdown());
                runtime.shutdown_background();
            };
            if Handle::try_current().is_ok() {
                std::thread::spawn(end);
            } else {
                end();
            }
            return;
        }
        // A runtime that waits for its end may not do so within another one.
        runtime.shutdown_background();
    }
}

/// A method that waits for its namesake.
macro_rules! waiting {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl super::Process {
            $(
                #[doc = concat!("Waits for [`crate::Process::", stringify!($name), "`].")]
                ///
                /// # Errors
                ///
                /// Those of its namesake.
                pub fn $name(&self, $($argument: $type),*) -> Result<$result, crate::Error> {
                    self.wait(self.as_async().$name($($argument),*))
                }
            )*
        }
    };
}
