//! What output is passed to.

use std::future::Future;

/// A handler of output: a closure that returns nothing, or a future.
///
/// `Kind` distinguishes the two kinds of closure and is inferred; `T` is what is passed, text or bytes. A closure that blocks stops
/// everything on its thread, and a daemon disconnects a client that reads nothing for long: return a future for what takes
/// time. Methods of handles, such as [`Running::wait_with`](crate::Running::wait_with), take async closures that may borrow.
pub trait OutputHandler<Kind, T = String>: Send {
    /// Passes a piece, and waits until it was handled.
    fn call(&mut self, piece: T) -> impl Future<Output = ()> + Send;
}

/// The kind of a closure that returns nothing.
#[derive(Debug, Clone, Copy)]
pub enum SyncHandler {}

/// The kind of a closure that returns a future.
#[derive(Debug, Clone, Copy)]
pub enum AsyncHandler {}

impl<T: Send, F: FnMut(T) + Send> OutputHandler<SyncHandler, T> for F {
    fn call(&mut self, piece: T) -> impl Future<Output = ()> + Send {
        self(piece);
        std::future::ready(())
    }
}

impl<T, F, Fut> OutputHandler<AsyncHandler, T> for F
where
    T: Send,
    F: FnMut(T) -> Fut + Send,
    Fut: Future<Output = ()> + Send,
{
    fn call(&mut self, piece: T) -> impl Future<Output = ()> + Send {
        self(piece)
    }
}
