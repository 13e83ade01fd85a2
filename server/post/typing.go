package post

import (
	"net/http"

	"pubsub/server/access"
	"pubsub/server/web"
)

var errTyping = web.Refuse(http.StatusBadRequest, `Send {"typing": true, "name": "ann"} as JSON or as a form. It is shown for some seconds.`)

// Typing reads that a client types on a channel, from a form, from a JSON object, or from the
// query. It is admitted like a post. name is the given name, "" if there is none. The error
// is a [web.Problem].
func (p *Publisher) Typing(w http.ResponseWriter, r *http.Request, channel string) (name string, grant access.Grant, err error) {
	if grant, err = p.admit(r, channel); err != nil {
		return "", grant, err
	}
	body := &Body{w, r, p.max}
	if mediaType(r) == "application/json" {
		name, err = body.typingObject()
	} else {
		name, err = body.typingForm()
	}
	return name, grant, err
}

func (b *Body) typingForm() (name string, err error) {
	fields, err := web.FieldsOf(b.request)
	if err != nil {
		return "", err
	}
	form, err := b.form()
	if err != nil {
		return "", err
	}
	fields = append(fields, form...)
	if typing := fields.Last("typing"); typing == nil || *typing != "true" {
		return "", errTyping
	}
	if last := fields.Last("name"); last != nil { // the form's, if the query has one, too
		name = *last
	}
	return name, nil
}

func (b *Body) typingObject() (name string, err error) {
	object, err := b.Object()
	if err != nil {
		return "", err
	}
	name, isText := object["name"].(string)
	if object["typing"] != true || object["name"] != nil && !isText {
		return "", errTyping
	}
	return name, nil
}
