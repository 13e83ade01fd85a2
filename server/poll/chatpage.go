package poll

import (
	"encoding/json"
	"net/http"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// plainMessages is how many messages the page shows to a browser without JavaScript.
const plainMessages = 50

// Page answers GET / with the chat page of the channel in the field channel. With the field
// plain, the page has the last messages.
func (p *Polls) Page(assets *web.Assets) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		fields, err := web.FieldsOf(r)
		if err != nil {
			return err
		}
		channel, err := history.ParseChannel(fields.First("channel"))
		if err != nil {
			return err
		}
		page := web.Page{Channel: channel, Plain: fields.Has("plain")}
		if page.Plain {
			page.Lines, err = p.lines(r, channel)
		}
		if err != nil {
			return err
		}
		return assets.Page(w, r, page)
	}
}

// lines returns the last messages of a channel.
func (p *Polls) lines(r *http.Request, channel string) ([]web.Line, error) {
	if _, err := p.access.Authorize(r, access.Subscribe, channel); err != nil {
		return nil, err
	}
	if err := p.access.AdmitRead(r); err != nil {
		return nil, err
	}
	by := p.access.Source.Of(r)
	budget := p.access.BudgetFor(by, access.SmallAnswer)
	defer budget.Leave()
	bytes := budget.Take(maxBytes)
	page, err := p.hub.ReadUpTo(r.Context(), []hub.Place{{Channel: channel, Since: history.Back(), By: by}}, plainMessages, bytes)
	if err != nil {
		return nil, err
	}
	page.CutOldest(bytes)
	budget.Keep(page.Size())
	var lines []web.Line
	for _, m := range page.Messages {
		var said struct{ Nick, Message any }
		_ = json.Unmarshal(m.JSON, &said) // the server has encoded it
		nick, _ := said.Nick.(string)
		if text, is := said.Message.(string); is {
			lines = append(lines, web.Line{Time: m.Time.UTC().Format("15:04"), Nick: nick, Text: text})
		}
	}
	return lines, nil
}
