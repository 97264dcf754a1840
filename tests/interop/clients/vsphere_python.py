"""The Python SDK of the vSphere Automation API: the session stub over JSON-RPC and REST, and the client over all."""

import os

import requests
from com.vmware.cis_client import Session
from com.vmware.vapi.std.errors_client import Error, Unauthenticated
from vmware.vapi.lib.connect import get_requests_connector
from vmware.vapi.security.client.security_context_filter import LegacySecurityContextFilter
from vmware.vapi.security.session import create_session_security_context
from vmware.vapi.security.user_password import create_user_password_security_context
from vmware.vapi.stdlib.client.factories import StubConfigurationFactory
from vmware.vapi.vsphere.client import create_vsphere_client

ADDRESS = os.environ["DOORWARD_URL"]
USER = os.environ["DOORWARD_USER"]
PASSWORD = os.environ["DOORWARD_PASSWORD"]


def connector(protocol, path, context, session):
    chain = [LegacySecurityContextFilter(security_context=context)]
    return get_requests_connector(
        session=session, msg_protocol=protocol, url=ADDRESS + path, provider_filter_chain=chain)


def stub(protocol, path, context):
    way = connector(protocol, path, context, requests.Session())
    return Session(StubConfigurationFactory.new_std_configuration(way))


def is_unauthenticated(call):
    try:
        seen = call()
    except Unauthenticated as error:
        # The old REST form of a vCenter does not tell the type.
        assert error.error_type in (None, Error.Type.UNAUTHENTICATED), error
        assert error.messages[0].id == "com.vmware.vapi.endpoint.method.authentication.required", error
    else:
        raise AssertionError(f"not refused: {seen}")


def sessions(protocol, path):
    for user, password in [(USER, "wrong"), ("nobody", PASSWORD), ("", "")]:
        refused = stub(protocol, path, create_user_password_security_context(user, password))
        is_unauthenticated(refused.create)
    is_unauthenticated(stub(protocol, path, None).get)
    token = stub(protocol, path, create_user_password_security_context(USER, PASSWORD)).create()
    known = stub(protocol, path, create_session_security_context(token))
    info = known.get()
    assert info.user == USER, info
    assert info.created_time <= info.last_accessed_time, info
    assert known.get().created_time == info.created_time
    known.delete()
    is_unauthenticated(known.get)
    is_unauthenticated(known.delete)
    print("ended", token)


def new_form():
    """What the stubs never ask for by themselves: bare values. Then the id is a header that the program sets."""

    def bare(context, **headers):
        session = requests.Session()
        session.headers.update(headers)
        way = connector("rest", "/api", context, session)
        known = Session(StubConfigurationFactory.new_std_configuration(way))
        way.get_api_provider().get_api_provider().set_rest_format(False)
        return known

    is_unauthenticated(bare(create_user_password_security_context(USER, "wrong")).create)
    token = bare(create_user_password_security_context(USER, PASSWORD)).create()
    known = bare(None, **{"vmware-api-session-id": token})
    assert known.get().user == USER
    known.delete()
    is_unauthenticated(known.get)
    print("ended", token)


def whole_client():
    server = ADDRESS.removeprefix("https://")
    try:
        create_vsphere_client(server, USER, "wrong", session=requests.Session())
    except Unauthenticated:
        pass
    else:
        raise AssertionError("not refused")
    client = create_vsphere_client(server, USER, PASSWORD, session=requests.Session())
    assert client.session_svc.get().user == USER
    ended = client.session_id
    # As at the end of a `with`.
    client.__exit__(None, None, None)
    print("ended", ended)
    client = create_vsphere_client(server, USER, PASSWORD, session=requests.Session())
    other = create_vsphere_client(server, session=requests.Session(), session_id=client.session_id)
    assert other.session_svc.get().user == USER
    print("open", client.session_id, flush=True)
    # Without the logouts that it does when it is forgotten.
    os._exit(0)


sessions("json", "/api")
sessions("rest", "/rest/com/vmware/cis")
new_form()
whole_client()
