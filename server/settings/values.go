package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pubsub/server/history"
	"pubsub/server/tokens"
)

// value gets and sets a field of [Settings]. The error of set tells what values look like.
type value struct {
	get    func() string
	set    func(string) error
	isBool bool // as a flag it needs no value
}

func text(p *string) value {
	return value{get: func() string { return *p }, set: func(s string) error { *p = s; return nil }}
}

var prefixes = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// prefix is the beginning of names, without a character that means something in a pattern.
func prefix(p *string) value {
	return value{get: func() string { return *p }, set: func(s string) error {
		if !prefixes.MatchString(s) {
			return errors.New("1 to 64 of the characters A-Z a-z 0-9 . _ : -")
		}
		*p = s
		return nil
	}}
}

// limit is an integer within bounds, or 0 for no limit.
func limit(p *int, least, most int64) value {
	such := strconv.Itoa(*p)
	return value{
		get: func() string { return strconv.Itoa(*p) },
		set: func(s string) error {
			n, err := strconv.ParseInt(s, 10, strconv.IntSize)
			if err != nil || n != 0 && (n < least || most < n) {
				return fmt.Errorf("a whole number from %d to %d, such as %s, or 0 for no limit", least, most, such)
			}
			*p = int(n)
			return nil
		},
	}
}

// count is an integer from 0 to most.
func count(p *int, most int) value {
	return value{
		get: func() string { return strconv.Itoa(*p) },
		set: func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || most < n {
				return fmt.Errorf("a whole number from 0 to %d", most)
			}
			*p = n
			return nil
		},
	}
}

// decimal is a number within bounds, or 0 for no limit.
func decimal(p *float64, least, most float64) value {
	format := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	such := format(*p)
	return value{
		get: func() string { return format(*p) },
		set: func(s string) error {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil || n != 0 && !(least <= n && n <= most) {
				return fmt.Errorf("a number from %s to %s, such as %s, or 0 for no limit", format(least), format(most), such)
			}
			*p = n
			return nil
		},
	}
}

const noLimit = "for no limit" // the meaning of 0

// duration is a duration within bounds, or 0, whose meaning zero tells.
func duration(p *time.Duration, least, most time.Duration, zero string) value {
	such := short(*p)
	return value{
		get: func() string { return short(*p) },
		set: func(s string) error {
			d, err := time.ParseDuration(s)
			if err != nil || d != 0 && (d < least || most < d) {
				return fmt.Errorf("a duration from %s to %s, such as %s, or 0 %s", short(least), short(most), such, zero)
			}
			*p = d
			return nil
		},
	}
}

// short formats a duration without zeros at its end: 5m, not 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func boolean(p *bool) value {
	return value{
		get: func() string { return strconv.FormatBool(*p) },
		set: func(s string) error {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return errors.New("true or false")
			}
			*p = b
			return nil
		},
		isBool: true,
	}
}

func onOff(p *bool) value {
	words := map[bool]string{true: "on", false: "off"}
	return value{
		get: func() string { return words[*p] },
		set: func(s string) error {
			if s != words[true] && s != words[false] {
				return errors.New("on or off")
			}
			*p = s == words[true]
			return nil
		},
	}
}

func list(p *[]string) value {
	return value{
		get: func() string { return strings.Join(*p, ",") },
		set: func(s string) error {
			*p = nil
			for each := range strings.SplitSeq(s, ",") {
				if each = strings.TrimSpace(each); each != "" {
					*p = append(*p, each)
				}
			}
			return nil
		},
	}
}

func level(p *slog.Level) value {
	return value{
		get: func() string { return strings.ToLower(p.String()) },
		set: func(s string) error { return p.UnmarshalText([]byte(s)) },
	}
}

// secret is a text that the help does not show.
func secret(p *string) value {
	v := text(p)
	v.get = func() string { return "" }
	return v
}

// rights is a list such as right:channel, with commas.
func rights(p *tokens.Rights) value {
	return value{
		get: func() string { return "" },
		set: func(s string) error {
			parsed, ok := parseRights(s)
			if !ok {
				return errors.New("rights with commas between them, such as subscribe:public-*,publish:lobby")
			}
			*p = parsed
			return nil
		},
	}
}

func parseRights(s string) (r tokens.Rights, ok bool) {
	for one := range strings.SplitSeq(s, ",") {
		right, name, _ := strings.Cut(strings.TrimSpace(one), ":")
		if !isPattern(name) {
			return r, false
		}
		switch right {
		case "publish":
			r.Publish = append(r.Publish, name)
		case "subscribe":
			r.Subscribe = append(r.Subscribe, name)
		default:
			return r, false
		}
	}
	return r, true
}

// isPattern tells whether a text is the name of a channel, or a beginning of one followed by
// *.
func isPattern(name string) bool {
	beginning, open := strings.CutSuffix(name, "*")
	if open && beginning == "" {
		return true
	}
	_, err := history.ParseChannel(beginning)
	return err == nil && beginning != ""
}
