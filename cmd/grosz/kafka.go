package main

import (
	"errors"
	"fmt"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/internal/tlsclient"
)

// kafkaNet are the settings of the roles that talk to Kafka, beside its
// addresses.
type kafkaNet struct {
	KafkaTLS      bool   `config:"kafka-tls" help:"reach Kafka by TLS; so does naming any of its files"`
	KafkaCA       string `config:"kafka-ca" help:"PEM file of the authorities to trust for Kafka, in place of the system's"`
	KafkaCert     string `config:"kafka-cert" help:"PEM file of our certificate for Kafka, if it asks for one"`
	KafkaKey      string `config:"kafka-key" help:"PEM file of that certificate's key"`
	KafkaName     string `config:"kafka-server-name" help:"name in the brokers' certificates; default the host that is dialled"`
	KafkaSASL     string `config:"kafka-sasl" help:"plain, scram-sha-256 or scram-sha-512; empty for none"`
	KafkaUser     string `config:"kafka-user" help:"user of SASL"`
	KafkaPassword string `config:"kafka-password" secret:"true" help:"its password"`
	KafkaPassFile string `config:"kafka-password-file" help:"file that holds it"`
	Replication   int    `config:"kafka-replication" help:"replicas of topics that are made; default the brokers'"`
	InSync        int    `config:"kafka-min-insync" help:"replicas that must have a message before it counts as written, of topics that are made; default the brokers'"`
}

func (k kafkaNet) config() kafkanet.Config {
	return kafkanet.Config{
		TLS: k.KafkaTLS, Files: tlsclient.Files{CA: k.KafkaCA, Cert: k.KafkaCert, Key: k.KafkaKey, ServerName: k.KafkaName},
		SASL: k.KafkaSASL, User: k.KafkaUser, Password: k.KafkaPassword, PasswordFile: k.KafkaPassFile,
	}
}

func (k kafkaNet) topics(brokers []string) kafka.Cluster {
	return kafka.Cluster{Brokers: brokers, Replication: k.Replication, MinInSync: k.InSync}
}

// check says all that is wrong, without reading a file.
func (k kafkaNet) check(brokers []string) error {
	return errors.Join(k.config().Validate(), k.topics(brokers).Validate())
}

// cluster reads the files.
func (k kafkaNet) cluster(brokers []string) (kafka.Cluster, error) {
	c := k.topics(brokers)
	var err error
	c.Security, err = k.config().Open()
	return c, err
}

// flags hands the settings on to a child; the password goes by its
// environment (see secrets).
func (k kafkaNet) flags() []string {
	var out []string
	for _, f := range []struct{ name, value string }{
		{"kafka-ca", k.KafkaCA}, {"kafka-cert", k.KafkaCert}, {"kafka-key", k.KafkaKey}, {"kafka-server-name", k.KafkaName},
		{"kafka-sasl", k.KafkaSASL}, {"kafka-user", k.KafkaUser}, {"kafka-password-file", k.KafkaPassFile},
	} {
		if f.value != "" {
			out = append(out, "--"+f.name, f.value)
		}
	}
	if k.KafkaTLS {
		out = append(out, "--kafka-tls")
	}
	if k.Replication != 0 {
		out = append(out, "--kafka-replication", fmt.Sprint(k.Replication))
	}
	if k.InSync != 0 {
		out = append(out, "--kafka-min-insync", fmt.Sprint(k.InSync))
	}
	return out
}

// secrets are what a child may know and a process list may not.
func (k kafkaNet) secrets() []string {
	if k.KafkaPassword == "" {
		return nil
	}
	return []string{"GROSZ_KAFKA_PASSWORD=" + k.KafkaPassword}
}
