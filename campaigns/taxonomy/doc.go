// Package taxonomy translates between the category taxonomies that requests
// and campaigns use: IAB Tech Lab's Content Taxonomy 1.0 ("IAB17-3"), its
// versions 2.0 to 3.1 (numbers, the same in all of them), and the top levels of
// Google's product taxonomy. The tables are the text files beside it, each with
// its source.
//
// Hot: Also and Name look a value up in a table that is made once, when first
// asked for, and allocate nothing; safe for many goroutines. Imports nothing of
// Grosz.
package taxonomy
