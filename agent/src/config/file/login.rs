//! `[login]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::{Size, TimeSpan};

/// Login and logout.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// The path under which login, logout and public keys are served on every host.
    pub path: String,
    /// Paths of applications that log out as well. Classic name: LogoffUri.
    pub logout_paths: Vec<String>,
    /// Where to go after logout: a path, or an address of an origin in `allowed_targets`. A page of our own if
    /// absent.
    pub logout_target: Option<String>,
    /// Origins besides the request's own that a login or logout may lead to, such as `https://www.example.com`.
    /// Empty by default: nobody is led away. Classic name: ValidTargetDomain, which is open by default.
    pub allowed_targets: Vec<String>,
    /// The largest request body that is kept while its user logs in, to be sent on afterwards; 0 for none,
    /// 1MiB at most. Classic name: PreservePostData.
    pub preserve_size: Size,
    /// For how long a browser remembers the name of a user who ticked the box for it on the login page: never the
    /// password, and the name proves nothing. 400d at most, which is as long as browsers keep a cookie. No box if
    /// absent: whoever opens the page on a shared device would see who logged in there. Classic name:
    /// SaveCredsTimeout, in hours, which was for the password as well.
    pub remember_user_name: Option<TimeSpan>,
    /// How the pages look and read.
    pub pages: Pages,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            path: defaults::LOGIN_PATH.to_owned(),
            logout_paths: Vec::new(),
            logout_target: None,
            allowed_targets: Vec::new(),
            preserve_size: Size(defaults::PRESERVE_BYTES),
            remember_user_name: None,
            pages: Pages::default(),
        }
    }
}

/// How the pages look and read.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pages {
    /// The heading of the login page.
    pub title: String,
    /// A picture above the form: SVG, PNG, JPEG or WebP.
    pub logo_file: Option<PathBuf>,
    /// A folder of templates and texts that replace the built-in ones. Classic name: the forms/*.fcc files.
    pub template_dir: Option<PathBuf>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            title: defaults::PAGE_TITLE.to_owned(),
            logo_file: None,
            template_dir: None,
        }
    }
}
