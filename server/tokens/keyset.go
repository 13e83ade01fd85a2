package tokens

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
)

// readKeys reads a JWKS. Keys that are not understood or not safe are left out, as RFC 7517,
// section 5, asks for: an issuer may have keys for other purposes, too. left tells which
// keys, and why.
func readKeys(text []byte) (keys keyfunc.Keyfunc, left []string, err error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("they are no key set: %w", err)
	}
	good := make([]json.RawMessage, 0, len(set.Keys))
	for _, key := range set.Keys {
		if why := unusable(key); why != nil {
			left = append(left, why.Error())
		} else {
			good = append(good, key)
		}
	}
	if len(good) == 0 {
		return nil, left, fmt.Errorf("no key of the set can be used: %s", strings.Join(left, "; "))
	}
	rest, err := json.Marshal(map[string]any{"keys": good})
	if err == nil {
		keys, err = keyfunc.NewJWKSetJSON(rest)
	}
	return keys, left, err
}

// unusable returns why a key is left out, nil if it is not.
func unusable(text json.RawMessage) error {
	var key struct{ Kid, Kty, Use, N string }
	if err := json.Unmarshal(text, &key); err != nil {
		return errors.New("a key is no JSON object with texts")
	}
	about := func(why string) error { return fmt.Errorf("key %.100q of type %.20q %s", key.Kid, key.Kty, why) }
	if key.Use != "" && key.Use != "sig" {
		return about("is not for signatures")
	}
	if n, err := base64.RawURLEncoding.DecodeString(key.N); key.Kty == "RSA" && (err != nil || new(big.Int).SetBytes(n).BitLen() < leastRSA) {
		return about(fmt.Sprintf("has less than %d bits", leastRSA))
	}
	set, err := json.Marshal(map[string]any{"keys": []json.RawMessage{text}})
	if err != nil {
		return about("is no JSON")
	}
	if _, err := keyfunc.NewJWKSetJSON(set); err != nil {
		return about("is not understood")
	}
	return nil
}
