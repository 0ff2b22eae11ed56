// Go's net/http: reads the requests from stdin and prints what came of them, both as JSON.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"time"
)

type request struct {
	Url, Method    string
	Size           *int
	Chunked, Waits bool
	Fields         map[string]string
}

func ask(client *http.Client, asked request) (map[string]any, error) {
	var body io.Reader
	if asked.Size != nil {
		body = strings.NewReader(strings.Repeat("0123456789", *asked.Size/10))
		if asked.Chunked {
			body = io.MultiReader(body) // Of a length that it does not know.
		}
	}
	sent, err := http.NewRequest(asked.Method, asked.Url, body)
	if err != nil {
		return nil, err
	}
	for name, value := range asked.Fields {
		sent.Header.Set(name, value)
	}
	sent.Close = asked.Fields["Connection"] == "close"
	if asked.Waits {
		sent.Header.Set("Expect", "100-continue")
	}
	hints := []int{}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		hints = append(hints, code)
		return nil
	}}
	response, err := client.Do(sent.WithContext(httptrace.WithClientTrace(sent.Context(), trace)))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	sum := sha256.New()
	length, err := io.Copy(sum, response.Body)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"status": response.StatusCode, "fields": flat(response.Header), "trailers": flat(response.Trailer),
		"length": length, "sha256": hex.EncodeToString(sum.Sum(nil)), "hints": hints,
	}, nil
}

func flat(header http.Header) map[string]string {
	fields := map[string]string{}
	for name := range header {
		fields[strings.ToLower(name)] = header.Get(name)
	}
	return fields
}

func main() {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(os.Args[1]); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		ExpectContinueTimeout: 10 * time.Second,
	}}
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		panic(err)
	}
	results := []map[string]any{}
	for _, each := range requests {
		result, err := ask(client, each)
		if err != nil {
			result = map[string]any{"error": err.Error()}
		}
		results = append(results, result)
	}
	json.NewEncoder(os.Stdout).Encode(results)
}
