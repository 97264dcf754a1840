"""A SOAP client that is made from the service's own description, in SOAP 1.2 and 1.1."""

import os

import zeep
from lxml import etree

ADDRESS = os.environ["DOORWARD_URL"] + "/authazws/auth"
USER = os.environ["DOORWARD_USER"]
PASSWORD = os.environ["DOORWARD_PASSWORD"]
HERE = {"appId": "app", "action": "GET", "resource": "/app/page"}

client = zeep.Client(ADDRESS + "?wsdl")


def who(password=PASSWORD, user=USER):
    return {"binaryCreds": "", "password": password, "userName": user}


def attributes(found):
    return {each.name: each.value for each in found.response}


def story(service, ends):
    for refused in [who("wrong"), who(user="nobody"), who("")]:
        answer = service.login(identityContext=refused, **HERE)
        assert answer.resultCode == "LOGIN_FAILED", answer
        assert answer.sessionToken is None, answer
        assert attributes(answer.authenticationResponses)["SM_AUTHREASON"] == "0", answer
    answer = service.login(identityContext=who(), **HERE | {"appId": "unknown"})
    assert answer.resultCode == "LOGIN_ERROR", answer
    answer = service.blogin(identityContext=who(), **HERE)
    assert (answer.message, answer.sessionToken) == ("yes", None), answer
    assert service.blogin(identityContext=who("wrong"), **HERE).message == "no"

    answer = service.login(identityContext=who(), **HERE)
    assert answer.resultCode == "LOGIN_SUCCESS", answer
    assert attributes(answer.authenticationResponses)["SM_USER"] == USER, answer
    token = answer.sessionToken
    answer = service.authorize(sessionToken=token, **HERE | {"action": "GET,POST"})
    assert answer.resultCode == "AUTHORIZED", answer
    assert attributes(answer.authorizationResponses)["SM_USER"] == USER, answer
    assert answer.sessionToken, answer
    answer = service.authorize(sessionToken=token + "x", **HERE)
    assert answer.resultCode == "NOTAUTHORIZED", answer
    if not ends:
        print("open", token)
        return
    answer = service.logout(sessionToken=token)
    assert answer.resultCode == "LOGOUT_SUCCESS", answer
    answer = service.authorize(sessionToken=token, **HERE)
    assert answer.resultCode == "NOTAUTHORIZED", answer
    assert answer.sessionToken is None, answer
    print("ended", token)


# The port that a client takes by itself is the first.
story(client.service, ends=True)
story(client.bind("AuthAZService", "AuthAZServiceSoap11"), ends=False)

# What has no answer is a fault of SOAP.
header = etree.Element("{urn:example}context")
header.set("{http://www.w3.org/2003/05/soap-envelope}mustUnderstand", "true")
try:
    client.service.logout(sessionToken="x", _soapheaders=[header])
except zeep.exceptions.Fault as fault:
    assert fault.code.endswith("MustUnderstand"), fault.code
else:
    raise AssertionError("no fault")
