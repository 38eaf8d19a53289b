package intent

// gone stands for a product that the catalogue has no more.
const gone = ^uint32(0)

// Rebase returns the index for a catalogue in which products have moved: at
// tells where a product is now, by its place in the catalogue that x is of. A
// product for which it says no is not found any more. All else is shared with
// x, so that it takes a pass over the products where New reads every title.
func (x *Index) Rebase(at func(pos uint32) (now uint32, ok bool)) *Index {
	out := *x
	out.docs = make([]uint32, len(x.docs))
	for i, pos := range x.docs {
		out.docs[i] = gone
		if pos == gone {
			continue
		}
		if now, ok := at(pos); ok {
			out.docs[i] = now
		}
	}
	if out.root == nil {
		out.root = x
	}
	return &out
}

// origin is the index that New made.
func (x *Index) origin() *Index {
	if x.root != nil {
		return x.root
	}
	return x
}

// SameWords tells whether y was made of x by Rebase, or x of y, or both of a
// third: a Table of the one is good for the other.
func (x *Index) SameWords(y *Index) bool { return x == y || x.origin() == y.origin() }
