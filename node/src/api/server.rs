//! The server: takes connections, refuses strangers, and answers.

use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::impatient::Impatient;
use super::reply::Refused;
use super::routes::routes;
use super::socket::Listener;
use crate::control::{Node, Refusal, RefusalKind};

/// Connections served at once; the next ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 64;

/// Headers of a request: far more than any client sends.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's headers, and of what is read ahead.
const MAX_HEADER_LEN: usize = 32 * 1024;

/// How long a client may take for a request's headers, and a connection lie idle.
const HEADER_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may take nothing of what it is sent.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// How long those who are being answered when the node ends may take for the rest.
const ENDING_LIMIT: Duration = Duration::from_secs(2);

/// How long to wait where the system gives no connection, such as for want of file handles.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Serves the socket until `ended` turns true, and what is under way then a moment longer.
pub async fn serve(listener: Listener, node: Node, mut ended: watch::Receiver<bool>) {
    let routes = routes(node);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            () = until(&mut ended) => break,
            Some(_) = connections.join_next() => continue,
            Ok(permit) = room.clone().acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = until(&mut ended) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, true)) => {
                let (routes, ended) = (routes.clone(), ended.clone());
                connections.spawn(async move {
                    answer(stream, TowerToHyperService::new(routes), ended).await;
                    drop(permit);
                });
            }
            Ok((stream, false)) => {
                tracing::warn!("another user was refused at the control socket");
                connections.spawn(async move {
                    refuse(stream).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket takes no connection");
                sleep(RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    if timeout(ENDING_LIMIT, rest).await.is_err() {
        tracing::debug!("some who were being answered did not take it in time");
    }
}

async fn answer<S>(stream: UnixStream, service: S, mut ended: watch::Receiver<bool>)
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = axum::body::Body>,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    let connection = builder().serve_connection(TokioIo::new(Impatient::new(stream, STALL_LIMIT)), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = until(&mut ended) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the control socket broke off");
    }
}

/// Waits for the end.
async fn until(ended: &mut watch::Receiver<bool>) {
    drop(ended.wait_for(|ended| *ended).await);
}

/// Tells somebody who is neither the node's user nor root that the node is not for them.
async fn refuse(stream: UnixStream) {
    let service = service_fn(|_| async {
        let refusal = Refusal::new(RefusalKind::Denied, "this node belongs to another user");
        let response = Refused(refusal.with_hint("run the command as that user")).into_response();
        Ok::<_, std::convert::Infallible>(response)
    });
    let served = builder().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    // Whoever it is need not listen to the end.
    drop(timeout(ENDING_LIMIT, served).await);
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_LEN);
    builder
}
