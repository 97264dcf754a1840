use http_body_util::BodyExt as _;

use super::*;

fn envelope(version: Version, header: &str, body: &str) -> String {
    let namespace = version.namespace();
    format!("<s:Envelope xmlns:s=\"{namespace}\">{header}<s:Body>{body}</s:Body></s:Envelope>")
}

fn read(text: &str) -> Result<Call, Fault> {
    Call::read(text.as_bytes(), Version::V11)
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn calls_are_read_in_both_versions_and_all_namespaces() {
    for version in Version::ALL {
        for namespace in NAMESPACES {
            let body = format!(
                "<aut:login xmlns:aut=\"{namespace}\"><identityContext><binaryCreds/><password>p</password>\
                 <userName>alice</userName></identityContext><appId>app</appId><action>GET</action>\
                 <resource>/app</resource></aut:login>"
            );
            let call = read(&envelope(version, "<s:Header/>", &body)).expect("a call");
            assert_eq!(call.version, version);
            assert_eq!(call.namespace, namespace);
            assert_eq!(call.operation, Operation::Login);
            assert_eq!(call.fields.user_name.as_deref(), Some("alice"));
            assert_eq!(call.fields.resource.as_deref(), Some("/app"));
        }
    }
    let call = read(&envelope(
        Version::V11,
        "",
        "<AUTHORIZE><sessionToken>t</sessionToken></AUTHORIZE>",
    ));
    assert_eq!(call.map(|call| call.operation), Ok(Operation::Authorize));
}

#[test]
fn faults_are_told_apart() {
    let login = "<login/>";
    let must = |version: Version, value: &str| {
        let header = format!(
            "<s:Header><w:Security xmlns:w=\"urn:w\" s:mustUnderstand=\"{value}\"/></s:Header>"
        );
        read(&envelope(version, &header, login))
            .err()
            .map(|fault| (fault.version, fault.code))
    };
    for version in Version::ALL {
        assert_eq!(must(version, "1"), Some((version, Code::MustUnderstand)));
        assert_eq!(must(version, "0"), None);
    }
    let code = |text: &str| read(text).err().map(|fault| fault.code);
    let other = "<s:Envelope xmlns:s=\"urn:other\"><s:Body><login/></s:Body></s:Envelope>";
    assert_eq!(code(other), Some(Code::VersionMismatch));
    assert_eq!(code("<login/>"), Some(Code::VersionMismatch));
    for text in [
        String::from("no"),
        envelope(Version::V12, "", ""),
        envelope(Version::V12, "", "<login/><login/>"),
        envelope(Version::V12, "", "<forget/>"),
        envelope(Version::V12, "", "<login xmlns=\"urn:other\"/>"),
        envelope(Version::V12, "<s:Body><login/></s:Body>", login),
        envelope(Version::V12, "<x/>", login),
        envelope(
            Version::V12,
            "",
            "<login><userName>a</userName><username>b</username></login>",
        ),
    ] {
        assert_eq!(code(&text), Some(Code::Sender), "{text}");
    }
}

#[tokio::test]
async fn a_fault_is_in_the_version_of_its_call() {
    let fault = Fault::sender(Version::V11, "Bad Request").response();
    assert_eq!(fault.status(), 500);
    assert_eq!(fault.headers()["content-type"], "text/xml; charset=utf-8");
    assert_eq!(
        text(fault).await,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
         <faultcode>soap:Client</faultcode><faultstring>Bad Request</faultstring></soap:Fault></soap:Body></soap:Envelope>"
    );
    let fault = Fault::sender(Version::V12, "Bad Request").response();
    assert_eq!(fault.status(), 400);
    assert_eq!(
        fault.headers()["content-type"],
        "application/soap+xml; charset=utf-8"
    );
    assert_eq!(
        text(fault).await,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Body><soap:Fault>\
         <soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"en\">Bad Request\
         </soap:Text></soap:Reason></soap:Fault></soap:Body></soap:Envelope>"
    );
}

#[tokio::test]
async fn an_answer_has_unqualified_parts() {
    let reply = Reply::new(Operation::Blogin, "LOGIN_SUCCESS", "yes");
    let answer = in_soap(&reply, Version::V12, NAMESPACES[0]);
    assert_eq!(answer.status(), 200);
    let document = text(answer).await;
    assert!(
        document.contains(
            "<soap:Body><ns2:bloginResponse xmlns:ns2=\"http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd\">\
             <return><message>yes</message><resultCode>LOGIN_SUCCESS</resultCode></return></ns2:bloginResponse></soap:Body>"
        ),
        "{document}"
    );
    assert!(Element::read(document.as_bytes()).is_ok());
}
