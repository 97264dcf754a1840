use super::*;

#[test]
fn every_endpoint_is_served_in_versions_of_ascending_order() {
    let endpoints = [
        Endpoint::Authenticate,
        Endpoint::Sessions(None),
        Endpoint::ServerInfo(None),
        Endpoint::Users(None),
        Endpoint::SessionService,
        Endpoint::Policies,
    ];
    for endpoint in endpoints {
        let served = served(&endpoint);
        assert!(
            served.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{endpoint:?}"
        );
    }
}
