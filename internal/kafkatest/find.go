package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Version is the Apache Kafka that scripts/kafka.sh brings.
const Version = "4.1.0"

// EnvDir names the folder that scripts/kafka.sh fills, in place of the user's
// cache.
const EnvDir = "GROSZ_KAFKA"

// ErrMissing is what Libs and Open wrap when Java or Kafka is not installed.
var ErrMissing = errors.New("no Apache Kafka is installed")

// Libs returns the folder of Kafka's jars.
func Libs() (string, error) {
	dir := os.Getenv(EnvDir)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding Kafka's jars: %w", err)
		}
		dir = filepath.Join(cache, "grosz", "kafka-"+Version)
	}
	jar := filepath.Join(dir, "libs", "kafka_2.13-"+Version+".jar")
	if _, err := os.Stat(jar); err != nil {
		return "", fmt.Errorf("%w: no %s; run scripts/kafka.sh, or set %s", ErrMissing, jar, EnvDir)
	}
	return filepath.Join(dir, "libs"), nil
}

// find returns the java command and the folder of Kafka's jars.
func find() (java, libs string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", fmt.Errorf("%w: no java in PATH; run scripts/kafka.sh", ErrMissing)
	}
	libs, err = Libs()
	return java, libs, err
}
