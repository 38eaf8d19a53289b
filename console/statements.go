package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type statementOfInput struct {
	ShopPath
	Month  string `path:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"YYYY-MM of the shop's time zone"`
	Format string `query:"format" enum:"json,csv" default:"json" doc:"csv is a file to keep"`
}

// getStatementOf is getStatement, of the month in the path.
func (s *Server) getStatementOf(ctx context.Context, in *statementOfInput) (*statementOutput, error) {
	out, err := s.getStatement(ctx, &statementInput{ShopPath: in.ShopPath, Month: in.Month, Format: in.Format})
	var bad *huma.ErrorModel
	if errors.As(err, &bad) && bad.Status == http.StatusUnprocessableEntity {
		for _, d := range bad.Errors {
			if d.Location == "query.month" {
				d.Location = "path.month"
			}
		}
	}
	return out, err
}
