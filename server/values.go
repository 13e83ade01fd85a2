package server

import (
	"errors"
	"flag"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// value is a flag.Value made of two functions. The error of set says what a
// value looks like.
type value struct {
	get func() string
	set func(string) error
}

var _ flag.Value = value{}

func (v value) String() string {
	if v.get == nil { // flag makes zero values
		return ""
	}
	return v.get()
}

func (v value) Set(s string) error { return v.set(s) }

func text(p *string) flag.Value {
	return value{func() string { return *p }, func(s string) error { *p = s; return nil }}
}

func number(p *int) flag.Value {
	return value{
		func() string { return strconv.Itoa(*p) },
		func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return errors.New("a whole number, such as 1000, or 0 for no limit")
			}
			*p = n
			return nil
		},
	}
}

func decimal(p *float64) flag.Value {
	return value{
		func() string { return strconv.FormatFloat(*p, 'g', -1, 64) },
		func(s string) error {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil || !(0 <= n && n <= 1e9) {
				return errors.New("a number, such as 20 or 0.5, or 0 for no limit")
			}
			*p = n
			return nil
		},
	}
}

func duration(p *time.Duration) flag.Value {
	return value{
		func() string { return strings.Replace(p.String(), "m0s", "m", 1) },
		func(s string) error {
			d, err := time.ParseDuration(s)
			if err != nil || d < 0 {
				return errors.New("a duration, such as 22s or 5m, or 0 for no limit")
			}
			*p = d
			return nil
		},
	}
}

func list(p *[]string) flag.Value {
	return value{
		func() string { return strings.Join(*p, ",") },
		func(s string) error {
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

func level(p *slog.Level) flag.Value {
	return value{
		func() string { return strings.ToLower(p.String()) },
		func(s string) error { return p.UnmarshalText([]byte(s)) },
	}
}
