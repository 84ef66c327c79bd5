//! Bodies of requests, within bounds of size and time.

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use hyper::body::Body as _;

use crate::error::OnlineError;
use crate::settings::ServeSettings;

/// The whole body.
pub(crate) async fn read(request: Request, settings: &ServeSettings) -> Result<Bytes, OnlineError> {
    let limit = settings.max_body_bytes;
    let too_large = || {
        OnlineError::TooLarge(format!(
            "the body is larger than {limit} bytes, which this server takes at most (serve.max_body); send it in pieces"
        ))
    };
    let body = request.into_body();
    // What is announced to be too large is not even begun to be read.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(settings.idle_timeout, collect(body, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => Err(OnlineError::Malformed(format!("the body broke off: {error}"))),
        Err(_) => Err(OnlineError::TooSlow(format!("{:?}", settings.idle_timeout))),
    }
}

async fn collect(body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let Some(first) = chunks.next().await else { return Ok(Some(Bytes::new())) };
    let first = first?;
    let Some(second) = chunks.next().await else {
        return Ok((first.len() <= limit).then_some(first));
    };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk?;
        if whole.len() + chunk.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
        next = chunks.next().await;
    }
    Ok(Some(whole.freeze()))
}
