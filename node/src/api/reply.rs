//! How answers and refusals look in HTTP.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::control::{Answer, Refusal, RefusalKind};

/// A refusal on its way out: `{"kind":…,"error":…,"hint":…}` with a status that fits.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Refusal);

impl Refused {
    /// The refusal of a request that makes no sense.
    pub(super) fn invalid(error: impl std::fmt::Display) -> Self {
        let refusal = Refusal::new(RefusalKind::Invalid, error);
        Self(refusal.with_hint("docs/api.md tells what can be asked, and how"))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Denied => StatusCode::FORBIDDEN,
            RefusalKind::Unknown => StatusCode::NOT_FOUND,
            RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.0)).into_response()
    }
}

/// An answer on its way out.
#[derive(Debug)]
pub(super) struct Answered(pub(super) Answer);

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        match self.0 {
            Answer::Posted(posted) => Json(posted).into_response(),
            Answer::Page(page) => Json(page).into_response(),
            Answer::Exported { path, count } => Json(json!({ "path": path, "count": count })).into_response(),
            Answer::Matrix(matrix) => Json(matrix).into_response(),
            Answer::Orders { orders } => Json(json!({ "orders": orders })).into_response(),
            Answer::Groups { groups } => Json(json!({ "groups": groups })).into_response(),
            Answer::Members { members } => Json(json!({ "members": members })).into_response(),
            Answer::Peers { peers } => Json(json!({ "peers": peers })).into_response(),
            Answer::Status(status) => Json(status).into_response(),
            Answer::Changed(changed) => Json(changed).into_response(),
            Answer::JoinRequests { requests } => Json(json!({ "requests": requests })).into_response(),
            Answer::Done => Json(json!({})).into_response(),
        }
    }
}
