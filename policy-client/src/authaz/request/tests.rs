use std::time::Duration;

use policy_protocol::ProtectionLevel;

use super::*;
use crate::authaz::{AuthAzCaller, UserNameField};
use crate::foreign::ForeignSettings;
use crate::settings::ServerList;

fn settings(protocol: AuthAzProtocol) -> AuthAzSettings {
    AuthAzSettings {
        link: ForeignSettings {
            servers: ServerList::in_order(vec![String::from("https://gateway.example.com")]),
            ca_file: None,
            client_certificate: None,
            timeout: Duration::from_secs(1),
            agent_keys_file: None,
            foreign_level: ProtectionLevel(0),
        },
        protocol,
        apps: [(String::from("app.example.com"), String::from("shop"))].into(),
        user_name_field: UserNameField::UserName,
        caller: None,
    }
}

fn resource(path: &str) -> ResourceContext {
    ResourceContext {
        agent: String::from("doorward"),
        server: String::from("app.example.com"),
        resource: path.to_owned(),
        action: String::from("GET"),
    }
}

fn sent(settings: &AuthAzSettings, operation: &Operation<'_>) -> (String, String) {
    let request = make(settings, operation).unwrap();
    let exchange = request.exchange();
    let body = exchange.body.unwrap();
    let body = String::from_utf8(body.expose().clone()).unwrap();
    (exchange.path.join("/"), body)
}

#[test]
fn rest_has_a_path_and_a_root_for_each_operation() {
    let settings = settings(AuthAzProtocol::Rest);
    let resource = resource("/cart/items");
    let password = Secret::new(String::from("p<&>\"'\r\n"));
    let login = Operation::Login {
        user: "alice",
        password: &password,
        resource: &resource,
    };
    assert_eq!(
        sent(&settings, &login),
        (
            "authazws/AuthRestService/login/shop/cart/items".to_owned(),
            "<loginRequest><binaryCreds></binaryCreds><password>p&lt;&amp;&gt;&quot;&apos;&#13;\n</password>\
             <userName>alice</userName><action>GET</action></loginRequest>"
                .to_owned()
        )
    );
    let authorize = Operation::Authorize {
        token: "t",
        resource: &resource,
    };
    assert_eq!(
        sent(&settings, &authorize),
        (
            "authazws/AuthRestService/authz/shop/cart/items".to_owned(),
            "<authorizationRequest><action>GET</action><resource>/cart/items</resource>\
             <sessionToken>t</sessionToken><appId>shop</appId></authorizationRequest>"
                .to_owned()
        )
    );
    assert_eq!(
        sent(&settings, &Operation::Logout("t")),
        (
            "authazws/AuthRestService/logout/shop/".to_owned(),
            "<logoutRequest><sessionToken>t</sessionToken></logoutRequest>".to_owned()
        )
    );
}

#[test]
fn soap_has_one_path_and_an_action_for_each_operation() {
    let mut settings = settings(AuthAzProtocol::Soap);
    settings.user_name_field = UserNameField::Username;
    let resource = resource("/");
    let password = Secret::new(String::from("plainly fake"));
    let login = Operation::Login {
        user: "alice",
        password: &password,
        resource: &resource,
    };
    let (path, body) = sent(&settings, &login);
    assert_eq!(path, "authazws/auth");
    assert!(
        body.starts_with("<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"")
    );
    assert!(body.ends_with(
        "<soap:Body><aut:login><identityContext><binaryCreds></binaryCreds><password>plainly fake</password>\
         <username>alice</username></identityContext><appId>shop</appId><action>GET</action>\
         <resource>/</resource></aut:login></soap:Body></soap:Envelope>"
    ));
    let request = make(&settings, &login).unwrap();
    assert_eq!(
        request.headers[&SOAP_ACTION],
        "\"http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd/AuthAZService/loginRequest\""
    );
}

#[test]
fn the_challenge_cookie_goes_along_only_if_it_is_asked_for() {
    let mut settings = settings(AuthAzProtocol::Rest);
    for challenge_cookie in [false, true] {
        settings.caller = Some(AuthAzCaller {
            user: String::from("gw"),
            password: Secret::new(String::from("plainly fake")),
            challenge_cookie,
        });
        let request = make(&settings, &Operation::Logout("t")).unwrap();
        assert_eq!(request.headers.contains_key(COOKIE), challenge_cookie);
    }
}

#[test]
fn what_xml_cannot_hold_is_known() {
    assert!(can_be_written("pass\u{e9}word\t\u{1f600}"));
    assert!(
        !can_be_written("a\u{0}") && !can_be_written("a\u{1b}b") && !can_be_written("\u{ffff}")
    );
}

#[test]
fn each_host_is_asked_about_by_its_own_app_id() {
    for protocol in [AuthAzProtocol::Rest, AuthAzProtocol::Soap] {
        let mut settings = settings(protocol);
        let asked = |settings: &AuthAzSettings, host: &str| {
            let resource = ResourceContext {
                server: host.to_owned(),
                ..resource("/finance")
            };
            let authorize = Operation::Authorize {
                token: "t",
                resource: &resource,
            };
            make(settings, &authorize).map(|_| sent(settings, &authorize))
        };
        let mentions = |(path, body): &(String, String), app: &str| {
            (protocol == AuthAzProtocol::Soap || path.ends_with(&format!("/authz/{app}/finance")))
                && body.contains(&format!("<appId>{app}</appId>"))
        };
        assert!(mentions(
            &asked(&settings, "app.example.com").unwrap(),
            "shop"
        ));
        let unknown = asked(&settings, "wiki.example.com");
        assert_eq!(
            unknown.unwrap_err(),
            PolicyError::Failure,
            "nobody's policies"
        );
        settings.apps.insert("*".into(), "rest".into());
        assert!(mentions(
            &asked(&settings, "wiki.example.com").unwrap(),
            "rest"
        ));
        assert!(mentions(
            &asked(&settings, "app.example.com").unwrap(),
            "shop"
        ));
    }
}
