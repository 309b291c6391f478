//! Calls of the store that are always answered: a panic in an adapter becomes an unknown outcome.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::ports::StoreError;

/// Runs a call of the store. Whoever waits for its outcome hears of it, even if the adapter panics.
pub(crate) async fn guarded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    // The adapter's state is behind its own locks; what this call believed is dropped with it.
    let outcome = AssertUnwindSafe(call).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(StoreError::Unknown("the store's adapter panicked".to_owned())))
}
