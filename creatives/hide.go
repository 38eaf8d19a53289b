package creatives

// The button that hides the ad stands in its corner, in front of 'why this
// ad' in the order of the keyboard. It is a form, so that it needs no script,
// and that nothing which only follows links presses it.
const cssHide = `.gz form{position:absolute;top:0;right:0;z-index:3;margin:0}.gz button{display:block;width:20px;height:20px;margin:0;padding:0 0 0 1px;border:0;border-bottom-left-radius:6px;background:rgba(255,255,255,.92);color:#4b5666;font:400 15px/18px Arial,sans-serif;cursor:pointer}` +
	`.gz button:hover,.gz button:focus-visible{background:#18212f;color:#fff}.gz button:focus-visible{outline:2px solid #fff;outline-offset:-3px}.gz .w{right:20px}`

// hideStyles make room for it, by family.
var hideStyles = [6]string{
	box:    `.gz .h{padding-right:80px}.gz .c .l{padding:0 10px}`,
	half:   `.gz .h .l{padding-right:78px}`,
	tower:  `.gz .h{padding-top:12px}`,
	leader: `@media(max-width:420px){.gz .t{padding-right:12px}}`,
	strip:  `.gz button{width:18px;height:15px;line-height:14px}.gz .w{right:18px}`,
}

// hide appends the button, if there is somebody who can be remembered.
func (r *render) hide(dst []byte) []byte {
	if len(r.l.HideURL) == 0 {
		return dst
	}
	dst = append(dst, `<form method="post" action="`...)
	dst = append(appendAttr(dst, view(r.l.HideURL)), `"><button title="`...)
	dst = append(append(dst, r.w.hide...), `" aria-label="`...)
	return append(append(dst, r.w.hide...), `">&times;</button></form>`...)
}
