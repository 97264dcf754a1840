//! `users`: who the caller is.

use http::Method;
use url::form_urlencoded;

use super::ask::Ask;
use super::caller::{self, Live};
use super::error::Refusal;
use super::json::{Json, object};
use super::respond::Reply;

pub(super) async fn answer(ask: &Ask<'_>, id: Option<&str>) -> Result<Reply, Refusal> {
    match id {
        Some(id) if ask.method == Method::GET => user(ask, id).await,
        Some(_) => Err(ask.unsupported()),
        None => {
            let action = ask.action()?;
            if !action.eq_ignore_ascii_case("idFromSession") {
                return Err(Refusal::no_action(action));
            }
            let caller = caller::caller(ask).await?;
            Ok(id_of(ask, &caller).into())
        }
    }
}

fn id_of(ask: &Ask<'_>, caller: &Live) -> Json {
    let realm = ask.service.realm_name(&caller.session().realm);
    let encoded: String = form_urlencoded::byte_serialize(realm.as_bytes()).collect();
    let login = &ask.core.visit.site.config.login.path;
    object! {
        "id": caller.user_name(),
        "realm": realm,
        "dn": caller.universal_id(),
        "successURL": "/",
        "fullLoginURL": format!("{login}/login?realm={encoded}"),
    }
}

/// Users may read what is known of themselves.
async fn user(ask: &Ask<'_>, id: &str) -> Result<Reply, Refusal> {
    let caller = caller::caller(ask).await?;
    if id != caller.user_name() && id != caller.universal_id() {
        return Err(Refusal::forbidden());
    }
    let identity = &caller.session().identity;
    let one = |value: &str| vec![value.to_owned()];
    let own = object! {
        "username": caller.user_name(),
        "realm": ask.service.realm_name(&caller.session().realm),
        "uid": one(caller.user_name()),
        "dn": one(&identity.user_dn),
        "universalid": one(caller.universal_id()),
        "inetUserStatus": one("Active"),
        "isMemberOf": identity.groups.clone(),
    };
    let attributes = identity.attributes.iter();
    let members = own.and(
        attributes
            .map(|(name, values)| (name, values.clone()))
            .collect(),
    );
    Ok(Reply::resource(caller.user_name(), members, &ask.fields()?))
}
