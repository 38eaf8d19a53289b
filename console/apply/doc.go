// Package apply keeps a shop's settings, feed source, lists, segments,
// campaigns and webhooks as one YAML file says: it reads the file, compares it
// with what the console's API answers, prints the difference, and sends what is
// to change. Export writes the file from what is there; to apply it changes
// nothing.
//
// It is a client of the public API and slow: a tool's, not a server's. What
// the fields are called it takes from the documents of campaigns, so that a
// new field is known here at once. Entries are known by their names, or by an
// id where the file gives one. Every change goes out with the version that was
// compared (If-Match), so that nobody's change is overwritten unseen.
//
// Secrets stay out of the file: what an address asks for is hidden, and the
// secret of a new webhook is handed to the caller.
//
// One goroutine uses a Client. It must not import the console or its store.
package apply
