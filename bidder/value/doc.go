// Package value says what an impression is worth before money is asked:
// P(click) and P(order | click), from linear models over hashed features. It
// serves the value stage of a bid; package learn, in a role of its own, makes
// the models and never runs in a bidder.
//
// A prediction is a sum of two parts that share no memory. The global part
// knows the placement only (domain, device, hour, size …), never a person,
// and only what at least K shops have shown. A shop's part knows that shop's
// own events, is trained on top of the global part, and is read for that shop
// alone. The two are never hashed into one table: a collision would carry one
// shop's data into another's bid.
//
// Hot: Score and Predict allocate nothing; about 3 ns for a feature. A Model
// is immutable and read by many goroutines behind an atomic pointer. In
// memory only: imports internal; no files, Kafka, HTTP or SQL.
//
// References: McMahan et al., 'Ad Click Prediction: a View from the
// Trenches', KDD 2013; Weinberger et al., 'Feature Hashing for Large Scale
// Multitask Learning', ICML 2009.
package value
