use super::super::operation::Operation;
use super::super::xml::Element;
use super::*;

const ALL: [Operation; 4] = [
    Operation::Login,
    Operation::Blogin,
    Operation::Logout,
    Operation::Authorize,
];

#[test]
fn it_is_asked_for_in_any_case_and_alone() {
    assert!(is_asked_for(Some("wsdl")));
    assert!(is_asked_for(Some("WSDL")));
    for query in [None, Some(""), Some("wsdl=1"), Some("xsd=1")] {
        assert!(!is_asked_for(query), "{query:?}");
    }
}

#[test]
fn it_is_what_is_served() {
    assert!(Element::read(DESCRIPTION.as_bytes()).is_ok());
    for operation in ALL {
        let answer = operation.soap_answer();
        let asked = answer.trim_end_matches("Response");
        assert_eq!(Operation::of_element(asked), Some(operation));
        for element in [asked, answer] {
            let declared = format!("<xs:element name=\"{element}\" type=\"tns:{element}\"/>");
            assert!(DESCRIPTION.contains(&declared), "{element}");
        }
        let responses = format!("<xs:element name=\"{}\"", operation.responses());
        assert!(DESCRIPTION.contains(&responses), "{operation:?}");
    }
    // Clients take no code that is not among these.
    for code in [
        "AUTHORIZED",
        "NOTAUTHORIZED",
        "NOT_PROTECTED",
        Operation::Authorize.bad_request(),
        Operation::Authorize.unavailable(),
    ] {
        let listed = format!("<xs:enumeration value=\"{code}\"/>");
        assert!(DESCRIPTION.contains(&listed), "{code}");
    }
}
