// Package phrases says in other languages what is said in one: sentences with
// places that are filled in, such as {value} must be from {low} to {high}. It
// is asked for a sentence as it was written, finds the phrase that it is an
// instance of, and returns that phrase's code, what stands in its places, and
// the sentence in the language wanted.
//
// Sentences are known by their text, since they come from many rooms, from a
// library, from another process and from what was stored last week: what they
// have in common is their text alone.
//
// Its neighbour is the console, which reads the lists and answers with it. A
// Book does not change; safe for many goroutines. It imports nothing of Grosz.
package phrases
