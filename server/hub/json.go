package hub

import (
	"encoding/json"
	"strconv"
)

// AppendJSON appends the page in the form of the answer to a poll: {"messages": […],
// "cursor": "…", "start": "…", "more": false, "gap": {…}}.
func (p *Page) AppendJSON(b []byte) []byte {
	if b == nil {
		const around = 192 // bytes without the messages
		b = make([]byte, 0, around+p.Size()+len(p.Messages))
	}
	b = append(b, `{"messages":`...)
	b = p.AppendMessages(b)
	b = append(b, `,"cursor":"`...)
	b = p.AppendCursor(b)
	b = append(b, `","start":"`...)
	b = p.AppendStart(b)
	b = append(b, `","more":`...)
	b = strconv.AppendBool(b, p.More)
	if p.Gap != nil {
		gap, _ := json.Marshal(p.Gap) // a struct of texts and a number, so this cannot fail
		b = append(append(b, `,"gap":`...), gap...)
	}
	return append(b, '}')
}

// AppendMessages appends the messages as a JSON array.
func (p *Page) AppendMessages(b []byte) []byte {
	b = append(b, '[')
	for i := range p.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, p.Messages[i].JSON...)
	}
	return append(b, ']')
}
