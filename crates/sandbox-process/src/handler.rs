//! What output is handed to.

use std::future::Future;

/// Takes what comes, piece by piece: a closure that returns nothing, or a future.
///
/// `Kind` tells the two kinds of closure apart and is inferred; `T` is what is handed over, text or bytes. A closure that
/// blocks keeps everything of the same thread from going on, and a daemon gives up on a client that takes nothing for
/// long: use a future for what takes time.
pub trait OutputHandler<Kind, T = String>: Send {
    /// Hands a piece over, and waits until it has been taken.
    fn hand_over(&mut self, piece: T) -> impl Future<Output = ()> + Send;
}

/// The kind of a closure that returns nothing.
#[derive(Debug, Clone, Copy)]
pub enum SyncHandler {}

/// The kind of a closure that returns a future.
#[derive(Debug, Clone, Copy)]
pub enum AsyncHandler {}

impl<T: Send, F: FnMut(T) + Send> OutputHandler<SyncHandler, T> for F {
    fn hand_over(&mut self, piece: T) -> impl Future<Output = ()> + Send {
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
    fn hand_over(&mut self, piece: T) -> impl Future<Output = ()> + Send {
        self(piece)
    }
}
