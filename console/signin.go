package console

import (
	"net/http"
	"strings"
)

// maxForm bounds a form's body, bytes.
const maxForm = 4 << 10

func (t *site) signInPage(w http.ResponseWriter, r *http.Request) {
	d := t.data(w, r, "signin")
	t.render(w, r, http.StatusOK, d)
}

// sameOrigin refuses what another site's page has the browser send. Signing
// in has no session yet whose token could be asked for.
func sameOrigin(r *http.Request) bool {
	return http.NewCrossOriginProtection().Check(r) == nil
}

// signIn takes a key and gives a session for it. A key that may only send
// events opens nothing here.
func (t *site) signIn(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		t.s.metrics.csrf.Inc()
		t.s.plainProblem(w, r, http.StatusForbidden, "signing in works from the console's own page only")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		t.s.plainProblem(w, r, http.StatusBadRequest, "the form cannot be read")
		return
	}
	d := t.data(w, r, "signin")
	key := strings.TrimSpace(r.PostFormValue("key"))
	remote, now, id := remoteAddr(r.RemoteAddr), t.s.clock.NowMS(), clip(keyID(key))
	if closed, seconds := t.s.locks.closed(remote, id, now); closed {
		t.s.metrics.locked.Inc()
		d.Wrong, d.Seconds = "signin.locked", (seconds+59)/60
		t.render(w, r, http.StatusTooManyRequests, d)
		return
	}
	who, err := t.s.verify(r.Context(), key)
	if err != nil {
		t.s.log.Error("key not verified", "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		return
	}
	if who == nil {
		t.s.metrics.badKeys.Inc()
		t.s.locks.fail(remote, id, now)
		t.s.log.Warn("sign-in refused", "remote", remote.String())
		d.Wrong = "signin.wrong"
		t.render(w, r, http.StatusUnauthorized, d)
		return
	}
	if !who.may(accessRead) {
		d.Wrong = "signin.events"
		t.render(w, r, http.StatusForbidden, d)
		return
	}
	who.remote = remote.String()
	secret, err := t.s.signIn(r.Context(), who)
	if err != nil {
		t.s.log.Error("session not made", "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		return
	}
	t.s.metrics.signIns.Inc()
	t.s.log.Info("signed in", "who", who.name(), "remote", who.remote)
	setSession(w, r, secret)
	http.Redirect(w, r, "/console/", http.StatusSeeOther)
}

// signOut ends the session.
func (t *site) signOut(w http.ResponseWriter, r *http.Request) {
	secret := sessionCookie(r.Header.Get("Cookie"))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !sameOrigin(r) || !csrfMatches(secret, r.PostFormValue("csrf")) {
		t.s.metrics.csrf.Inc()
		t.s.plainProblem(w, r, http.StatusForbidden, "signing out works from the console's own pages only")
		return
	}
	if err := t.s.endSession(r.Context(), secret); err != nil {
		t.s.log.Error("session not ended", "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		return
	}
	setSession(w, r, "")
	http.Redirect(w, r, "/console/sign-in", http.StatusSeeOther)
}
