//! The one table of routes, from which the router and the OpenAPI document are made.
//!
//! What a route takes and gives is read off its handler's own types, so that the document says what the
//! code does: a new route is one line in [`http`](super), and a new wire type derives `JsonSchema`.

use std::sync::Arc;

use ::http::{Method, StatusCode};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Call;
use crate::server::PolicyServer;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Anybody,
    Agents,
    Administrators,
}

/// Routes for one kind of caller.
pub(super) struct Api {
    caller: Caller,
    pub(super) router: Router<Arc<PolicyServer>>,
    pub(super) operations: Vec<Operation>,
}

/// One route as the document has it.
pub(super) struct Operation {
    pub(super) caller: Caller,
    pub(super) method: Method,
    /// Below `/policy/v1`.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) describe: fn(&mut SchemaGenerator) -> Parts,
}

/// What a route takes and gives.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) path: Option<Schema>,
    pub(super) query: Option<Schema>,
    pub(super) body: Option<Schema>,
    pub(super) status: StatusCode,
    /// What a success comes with, and its media type.
    pub(super) content: Option<(&'static str, Schema)>,
}

impl Api {
    pub(super) fn of(caller: Caller) -> Self {
        Self {
            caller,
            router: Router::new(),
            operations: Vec::new(),
        }
    }

    pub(super) fn get<T, D>(
        self,
        path: &'static str,
        handler: impl Calls<T, D>,
        is: &'static str,
    ) -> Self
    where
        T: 'static,
    {
        self.route(Method::GET, MethodFilter::GET, path, handler, is)
    }

    pub(super) fn post<T, D>(
        self,
        path: &'static str,
        handler: impl Calls<T, D>,
        is: &'static str,
    ) -> Self
    where
        T: 'static,
    {
        self.route(Method::POST, MethodFilter::POST, path, handler, is)
    }

    pub(super) fn delete<T, D>(
        self,
        path: &'static str,
        handler: impl Calls<T, D>,
        is: &'static str,
    ) -> Self
    where
        T: 'static,
    {
        self.route(Method::DELETE, MethodFilter::DELETE, path, handler, is)
    }

    fn route<H: Calls<T, D>, T: 'static, D>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
        summary: &'static str,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.operations.push(Operation {
            caller: self.caller,
            method,
            path,
            summary,
            describe: <H as Described<D>>::describe,
        });
        self
    }
}

/// A handler that can describe itself.
pub(super) trait Calls<T, D>: Handler<T, Arc<PolicyServer>> + Described<D> {}

impl<H: Handler<T, Arc<PolicyServer>> + Described<D>, T, D> Calls<T, D> for H {}

/// What a handler takes and gives. `D` are the types of its arguments.
pub(super) trait Described<D> {
    fn describe(generator: &mut SchemaGenerator) -> Parts;
}

macro_rules! described {
    ($($input:ident),*) => {
        impl<F, A, $($input),*> Described<($($input,)*)> for F
        where
            F: Fn($($input),*) -> A,
            A: Future<Output: Output>,
            $($input: Input,)*
        {
            fn describe(generator: &mut SchemaGenerator) -> Parts {
                let mut parts = Parts::default();
                $($input::describe(generator, &mut parts);)*
                <A::Output as Output>::describe(generator, &mut parts);
                parts
            }
        }
    };
}

described!();
described!(A1);
described!(A1, A2);
described!(A1, A2, A3);
described!(A1, A2, A3, A4);

/// An argument of a handler.
pub(super) trait Input {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts);
}

impl<T> Input for State<T> {
    fn describe(_: &mut SchemaGenerator, _: &mut Parts) {}
}

impl<T> Input for Extension<T> {
    fn describe(_: &mut SchemaGenerator, _: &mut Parts) {}
}

impl<T: JsonSchema> Input for Call<T> {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.body = Some(generator.subschema_for::<T>());
    }
}

impl<T: JsonSchema> Input for Result<Path<T>, PathRejection> {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.path = Some(generator.subschema_for::<T>());
    }
}

impl<T: JsonSchema> Input for Result<Query<T>, QueryRejection> {
    /// Not a reference: its properties become parameters.
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.query = Some(T::json_schema(generator));
    }
}

/// What a handler returns.
pub(super) trait Output {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts);
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.content = Some(("application/json", generator.subschema_for::<T>()));
    }
}

/// Handlers that return a bare status have nothing to say.
impl Output for StatusCode {
    fn describe(_: &mut SchemaGenerator, parts: &mut Parts) {
        parts.status = Self::NO_CONTENT;
    }
}

impl Output for &'static str {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        parts.content = Some(("text/plain", generator.subschema_for::<String>()));
    }
}

/// Errors are problems, all alike.
impl<T: Output, E> Output for Result<T, E> {
    fn describe(generator: &mut SchemaGenerator, parts: &mut Parts) {
        T::describe(generator, parts);
    }
}
