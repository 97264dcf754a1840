//! What a call says, whatever it is written in.

use policy_protocol::Secret;
use serde::Deserialize;

use super::xml::{Element, Malformed};

/// What a call may say. A part that is empty is not there.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Fields {
    /// Which application.
    pub(super) app_id: Option<String>,
    /// Which of its resources: a path, with or without a query.
    pub(super) resource: Option<String>,
    /// What is to be done with it: a method, or several.
    pub(super) action: Option<String>,
    /// Who. Older services spell it otherwise.
    #[serde(alias = "username")]
    pub(super) user_name: Option<String>,
    /// Their password.
    pub(super) password: Option<Secret<String>>,
    /// Their session.
    pub(super) session_token: Option<Secret<String>>,
}

impl Fields {
    /// Reads a JSON object. What is not known is ignored; what is there twice has two readings.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn from_json(text: &[u8]) -> Result<Self, Malformed> {
        // A list would be taken for the values in the order above.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Malformed);
        }
        let mut fields: Self = serde_json::from_slice(text).map_err(|_| Malformed)?;
        for text in [
            &mut fields.app_id,
            &mut fields.resource,
            &mut fields.action,
            &mut fields.user_name,
        ] {
            text.take_if(|text| text.is_empty());
        }
        for secret in [&mut fields.password, &mut fields.session_token] {
            secret.take_if(|secret| secret.expose().is_empty());
        }
        Ok(fields)
    }

    /// Reads what is in an element. What is not known is ignored.
    ///
    /// # Errors
    /// If a part is there twice and differs, or holds elements.
    pub(super) fn from_xml(call: &Element) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for element in &call.children {
            fields.take(element)?;
        }
        Ok(fields)
    }

    fn take(&mut self, element: &Element) -> Result<(), Malformed> {
        if element.is_called("identityContext") {
            return element.children.iter().try_for_each(|it| self.take(it));
        }
        let text = element.text.as_str();
        let trimmed = || text.trim_ascii().to_owned();
        if element.is_called("appId") {
            set(&mut self.app_id, trimmed(), element)
        } else if element.is_called("resource") {
            set(&mut self.resource, trimmed(), element)
        } else if element.is_called("action") {
            set(&mut self.action, trimmed(), element)
        } else if element.is_called("userName") {
            set(&mut self.user_name, text.to_owned(), element)
        } else if element.is_called("password") {
            set(&mut self.password, Secret::new(text.to_owned()), element)
        } else if element.is_called("sessionToken") {
            set(&mut self.session_token, Secret::new(trimmed()), element)
        } else {
            Ok(())
        }
    }
}

trait Text: PartialEq {
    fn is_absent(&self) -> bool;
}

impl Text for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Text for Secret<String> {
    fn is_absent(&self) -> bool {
        self.expose().is_empty()
    }
}

/// A client that serves old and new services may send a part in both spellings.
fn set<T: Text>(field: &mut Option<T>, value: T, element: &Element) -> Result<(), Malformed> {
    if !element.children.is_empty() {
        return Err(Malformed);
    }
    if value.is_absent() {
        return Ok(());
    }
    match field {
        Some(known) if *known != value => Err(Malformed),
        _ => {
            *field = Some(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
