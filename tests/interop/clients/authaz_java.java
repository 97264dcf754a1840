// A JAX-WS client, as wsimport makes it from the service's description: in SOAP 1.2 and 1.1.

import java.io.FileInputStream;
import java.net.URL;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

import authaz.*;

class Client {
    static final String USER = System.getenv("DOORWARD_USER");
    static final String PASSWORD = System.getenv("DOORWARD_PASSWORD");
    static final String PAGE = "/app/page";

    public static void main(String[] arguments) throws Exception {
        trust(System.getenv("DOORWARD_CA"));
        // Read from the service itself: it says where its ports are.
        var service = new AuthAZService_Service(new URL(System.getenv("DOORWARD_URL") + "/authazws/auth?wsdl"));
        System.out.println("ended " + story(service.getAuthAZServiceSoap12(), true));
        System.out.println("open " + story(service.getAuthAZServiceSoap11(), false));
    }

    static String story(AuthAZService port, boolean ends) {
        var refused = port.login(who("wrong"), "app", "GET", PAGE);
        expect("LOGIN_FAILED", refused.getResultCode());
        expect(null, refused.getSessionToken());
        expect("yes", port.blogin(who(PASSWORD), "app", "GET", PAGE).getMessage());
        var login = port.login(who(PASSWORD), "app", "GET", PAGE);
        expect("LOGIN_SUCCESS", login.getResultCode());
        expect(USER, value(login.getAuthenticationResponses(), "SM_USER"));
        var token = login.getSessionToken();
        var allowed = port.authorize(token, "app", "GET,POST", PAGE);
        expect(AuthorizationResultCodes.AUTHORIZED, allowed.getResultCode());
        expect(USER, value(allowed.getAuthorizationResponses(), "SM_USER"));
        if (ends) {
            expect("LOGOUT_SUCCESS", port.logout(token).getResultCode());
            expect(AuthorizationResultCodes.NOTAUTHORIZED, port.authorize(token, "app", "GET", PAGE).getResultCode());
        }
        return token;
    }

    static IdentityContext who(String password) {
        var who = new IdentityContext();
        who.setUserName(USER);
        who.setPassword(password);
        return who;
    }

    static String value(Attributes attributes, String name) {
        return attributes.getResponse().stream().filter(each -> each.getName().equals(name)).findFirst().get().getValue();
    }

    static void expect(Object wanted, Object seen) {
        if (!java.util.Objects.equals(wanted, seen)) throw new AssertionError(seen + " instead of " + wanted);
    }

    static void trust(String file) throws Exception {
        var authorities = KeyStore.getInstance(KeyStore.getDefaultType());
        authorities.load(null);
        try (var text = new FileInputStream(file)) {
            authorities.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(text));
        }
        var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(authorities);
        var tls = SSLContext.getInstance("TLS");
        tls.init(null, managers.getTrustManagers(), null);
        HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSocketFactory());
    }
}
