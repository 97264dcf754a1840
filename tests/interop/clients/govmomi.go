// govmomi's client of the vSphere Automation API, in both of the forms that it has.
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/vmware/govmomi/session/cache"
	"github.com/vmware/govmomi/session/keepalive"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
)

var ctx = context.Background()

func must(what string, err error) {
	if err != nil {
		fail(what, err)
	}
}

func fail(what string, seen any) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, seen)
	os.Exit(1)
}

// The client as programs make it, but for the login to the other API of a vCenter, which is not served.
func client() *rest.Client {
	address, err := url.Parse(os.Getenv("DOORWARD_URL"))
	must("the address", err)
	transport := soap.NewClient(address, false)
	must("the authority", transport.SetRootCAs(os.Getenv("DOORWARD_CA")))
	return rest.NewClient(&vim25.Client{Client: transport})
}

func user() string { return os.Getenv("DOORWARD_USER") }

func credentials() *url.Userinfo {
	return url.UserPassword(user(), os.Getenv("DOORWARD_PASSWORD"))
}

// Nobody, and not an error, if there is no session.
func whose(c *rest.Client) string {
	session, err := c.Session(ctx)
	must("session", err)
	if session == nil {
		return ""
	}
	if session.Created.IsZero() || session.LastAccessed.Before(session.Created) {
		fail("the session's times", session)
	}
	return session.User
}

func expect(what, seen, wanted string) {
	if seen != wanted {
		fail(what, seen)
	}
}

func rested() {
	c := client()
	expect("a session before the login", whose(c), "")
	for _, wrong := range []*url.Userinfo{url.UserPassword(user(), "wrong"), url.UserPassword("nobody", "wrong"), nil} {
		err := c.Login(ctx, wrong)
		if !rest.IsStatusError(err, http.StatusUnauthorized) {
			fail("a login that is wrong", err)
		}
	}
	must("login", c.Login(ctx, credentials()))
	expect("whose session it is", whose(c), user())
	ended := c.SessionID()
	must("logout", c.Logout(ctx))
	expect("a session after the logout", whose(c), "")
	fmt.Println("ended", ended)
	must("login", c.Login(ctx, credentials()))
	// Another program is given the id.
	other := client()
	other.SessionID(c.SessionID())
	expect("whose session it is elsewhere", whose(other), user())
	fmt.Println("open", c.SessionID())
}

// Its helpers for /api are requests that the program makes, with the client's way of reading answers.
func plain() {
	c := client()
	resource := func() *rest.Resource { return c.Resource("/api/session") }
	login := resource().Request(http.MethodPost)
	login.SetBasicAuth(user(), "wrong")
	var id string
	if err := c.Do(ctx, login, &id); !rest.IsStatusError(err, http.StatusUnauthorized) {
		fail("a login that is wrong, /api", err)
	}
	login = resource().Request(http.MethodPost)
	login.SetBasicAuth(user(), os.Getenv("DOORWARD_PASSWORD"))
	must("login, /api", c.Do(ctx, login, &id))
	c.SessionID(id)
	var session rest.Session
	must("session, /api", c.Do(ctx, resource().Request(http.MethodGet), &session))
	expect("whose session it is, /api", session.User, user())
	must("logout, /api", c.Do(ctx, resource().Request(http.MethodDelete), nil))
	err := c.Do(ctx, resource().Request(http.MethodGet), &session)
	if !rest.IsStatusError(err, http.StatusUnauthorized) {
		fail("a session after the logout, /api", err)
	}
	fmt.Println("ended", id)
}

// Programs on top of it keep their session in a file, and keep it alive while they run.
func kept() {
	folder, err := os.MkdirTemp("", "sessions")
	must("a folder", err)
	defer os.RemoveAll(folder)
	address, err := soap.ParseURL(os.Getenv("DOORWARD_URL"))
	must("the address", err)
	address.User = credentials()
	trust := func(transport *soap.Client) error { return transport.SetRootCAs(os.Getenv("DOORWARD_CA")) }
	session := &cache.Session{URL: address, DirREST: folder}
	first := new(rest.Client)
	must("a login that is kept", session.Login(ctx, first, trust))
	first.Transport = keepalive.NewHandlerREST(first, time.Hour, nil)
	expect("whose session it is, kept", whose(first), user())
	again := new(rest.Client)
	must("the kept session", session.Login(ctx, again, trust))
	expect("the kept session's id", again.SessionID(), first.SessionID())
	must("the logout of what is kept", again.Logout(ctx))
	fmt.Println("ended", first.SessionID())
	another := new(rest.Client)
	must("a login after the end", session.Login(ctx, another, trust))
	if another.SessionID() == first.SessionID() {
		fail("a session after its end", "the same")
	}
	must("logout", another.Logout(ctx))
}

func main() {
	rested()
	plain()
	kept()
}
