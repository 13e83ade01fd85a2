package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fields are what net/url takes them for, but that a semicolon is text.
func FuzzParseFields(f *testing.F) {
	for _, text := range []string{
		"", "&", "=", "&&a&=", "a=1&b=2", "a=1&a=2", "a=b=c", "a;b=c;d", "a=%26&%3D=+", "a=%", "%zz=1", "a=1&b=%e4&c=%", "a+b=c%20d",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "&") > 1000 {
			t.Skip("net/url refuses so many")
		}
		got, err := ParseFields(text)
		expected, expectedErr := url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
		if expectedErr != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		values := make(url.Values)
		for _, field := range got {
			values.Add(field.name, field.value)
		}
		require.Equal(t, expected, values)
		for name, all := range expected {
			require.True(t, got.Has(name))
			require.Equal(t, all[0], got.First(name))
			require.Equal(t, all[len(all)-1], *got.Last(name))
		}
		require.False(t, got.Has(text+"?"))
	})
}
