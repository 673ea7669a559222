// Package hostguard keeps web pages away from servers that listen on loopback.
//
// A page may name a host of its own, let that name point to 127.0.0.1 and then ask this
// machine's servers as if they were its own (DNS rebinding). Such a request names the
// page's host; a program of this machine names loopback.
package hostguard

import (
	"net"
	"net/http"
	"strings"
)

// Handler lets through requests whose Host is a loopback address or localhost, where
// listen, the server's host:port, is loopback. On other addresses all pass: whoever
// listens there has other names, and a network to guard them.
func Handler(listen string, h http.Handler) http.Handler {
	if !IsLoopback(listen) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLoopback(r.Host) {
			http.Error(w, "this server listens on loopback: ask it as localhost or 127.0.0.1", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// IsLoopback says whether address, a host with or without a port, is this machine's own.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
