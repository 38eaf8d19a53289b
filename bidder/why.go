package bidder

import "html/template"

// whyPage is what 'why this ad' tells.
type whyPage struct {
	Shop, Kind string
	Known      bool
}

var whyTemplate = template.Must(template.New("why").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Why this ad?</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1b2430}h1{font-size:1.4rem}</style>
<h1>Why this ad?</h1>
<p>This ad was placed for <b>{{.Shop}}</b> by Grosz.</p>
{{if and .Known (eq .Kind "remarketing")}}<p>You visited this shop before with this browser or device, and the ad reminds you of what you saw there. What you do in one shop is never used for another.</p>
{{else if eq .Kind "intent"}}<p>The page or its search suggests that products like these are being looked for now.</p>
{{else if eq .Kind "interest"}}<p>The ad was chosen for the page it stands on, not for you.</p>
{{else}}<p>The shop shows its ads widely; nothing about you decided it.</p>{{end}}
</html>
`))
