package web

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAcceptsGzip(t *testing.T) {
	for header, accepted := range map[string]bool{
		"":                                   false,
		"gzip":                               true,
		"gzip, deflate, br, zstd":            true,
		"br , GZip\t; Q = 0.001":             true,
		"x-gzip":                             true,
		"*":                                  true,
		"gzip, *;q=0":                        true,
		"*;q=0, gzip":                        true,
		"identity":                           false,
		"gzip;q=0":                           false,
		"gzip;q=0.000":                       false,
		"*, gzip;q=0":                        false,
		"*;q=0":                              false,
		"deflate, br":                        false,
		"gzipped":                            false,
		"gzip;q=one":                         false,
		"gzip;q=-1":                          false,
		"gzip;q=2":                           false,
		"gzip;q=NaN":                         false,
		"gzip;level=9":                       false,
		"gzip;q=1;q=0":                       false,
		"identity;q=1, gzip;q=0.5, br;q=0.1": true,
		",,;,gzip,":                          true,
	} {
		require.Equal(t, accepted, acceptsGzip([]string{header}), "%q", header)
	}
	require.False(t, acceptsGzip(nil))
	require.True(t, acceptsGzip([]string{"br", "gzip"}))
	for header, accepted := range map[string]bool{"gzip, deflate, br, zstd": true, "gzip": false, "br;q=0": false, "*": true, "": false} {
		require.Equal(t, accepted, acceptsBrotli([]string{header}), header)
	}
}

var (
	gzipItem    = regexp.MustCompile(`(?i)(^|,)[ \t]*(x-)?gzip[ \t]*(;|,|$)`)
	anyItem     = regexp.MustCompile(`(^|,)[ \t]*\*[ \t]*(;|,|$)`)
	refusedGzip = regexp.MustCompile(`(?i)(^|,)[ \t]*(x-)?gzip[ \t]*;[ \t]*q[ \t]*=[ \t]*0(\.0*)?[ \t]*(,|$)`)
)

// Nobody gets gzip who has not named it, or who refused it.
func FuzzAcceptsGzip(f *testing.F) {
	for _, header := range []string{"", "gzip", "gzip, deflate, br, zstd", "gzip;q=0", "*", "*;q=0,gzip", "GZIP ;q= 0.5", ";q=1,gzip;q", "x-gzip;q=1e-9"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		accepted := acceptsGzip([]string{header})
		if accepted {
			require.True(t, gzipItem.MatchString(header) || anyItem.MatchString(header))
			require.False(t, refusedGzip.MatchString(header))
		}
		require.Equal(t, accepted, acceptsGzip(strings.Split(header, ",")), "a list may come in several lines")
		require.False(t, acceptsGzip([]string{header, "gzip;q=0"}))
		require.Equal(t, !refusesGzip(header), acceptsGzip([]string{header, "gzip"}))
	})
}

// refusesGzip tells whether an item names gzip with a weight that is not positive.
func refusesGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if gzipItem.MatchString(item) && !acceptsGzip([]string{item}) {
			return true
		}
	}
	return false
}
