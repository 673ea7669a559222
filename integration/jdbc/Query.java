import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;

/** Asks the embedded ClickHouse by JDBC as DBeaver does; prints one JSON object. */
public class Query {
    static final Calendar UTC = Calendar.getInstance(TimeZone.getTimeZone("UTC"));

    public static void main(String[] args) throws Exception {
        Map<String, Object> out = new LinkedHashMap<>();
        try (Connection c = DriverManager.getConnection("jdbc:clickhouse://" + args[0] + "/millrace")) {
            DatabaseMetaData about = c.getMetaData();
            out.put("product", about.getDatabaseProductName());
            out.put("valid", c.isValid(5));
            out.put("catalogs", column(about.getCatalogs(), "TABLE_CAT"));
            out.put("schemas", column(about.getSchemas(), "TABLE_SCHEM"));
            out.put("table_types", column(about.getTableTypes(), "TABLE_TYPE"));
            out.put("tables", column(about.getTables(null, "millrace", "%", null), "TABLE_NAME"));
            out.put("columns", columns(about));
            column(about.getTypeInfo(), "TYPE_NAME");
            column(about.getPrimaryKeys(null, "millrace", "clean_text"), "COLUMN_NAME");
            column(about.getIndexInfo(null, "millrace", "clean_text", false, false), "INDEX_NAME");
            column(about.getImportedKeys(null, "millrace", "clean_text"), "FK_NAME");
            column(about.getFunctions(null, null, "%"), "FUNCTION_NAME");

            try (PreparedStatement s = c.prepareStatement(
                    "SELECT event_id, event_time, source, text, language, label, attributes, characters, redactions"
                    + " FROM clean_text WHERE event_id != ? ORDER BY event_id")) {
                s.setString(1, "it's nobody");
                out.put("texts", rows(s.executeQuery()));
            }
            try (Statement s = c.createStatement()) {
                out.put("calls", rows(s.executeQuery(
                        "SELECT event_id, request_model, operation_name, input_messages, output_messages, request_temperature,"
                        + " request_top_p, request_stop_sequences, response_finish_reasons, usage_input_tokens, request_stream"
                        + " FROM inferences ORDER BY event_id")));
                s.setMaxRows(2); // DBeaver asks for a page of rows so
                out.put("page", column(s.executeQuery("SELECT event_id FROM clean_text ORDER BY event_id"), "event_id"));
            }
            out.put("refused", refusal(c, "INSERT INTO clean_text (event_id) VALUES ('x')"));
            out.put("wrong", refusal(c, "SELECT nonsense FROM clean_text"));
        }
        System.out.println(json(out));
    }

    static List<Object> column(ResultSet r, String name) throws SQLException {
        List<Object> out = new ArrayList<>();
        while (r.next()) {
            out.add(r.getObject(name));
        }
        return out;
    }

    static Map<String, Object> columns(DatabaseMetaData about) throws SQLException {
        Map<String, Object> out = new LinkedHashMap<>();
        try (ResultSet r = about.getColumns(null, "millrace", "clean_text", "%")) {
            while (r.next()) {
                out.put(r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"));
            }
        }
        return out;
    }

    static List<Object> rows(ResultSet r) throws SQLException {
        List<Object> out = new ArrayList<>();
        ResultSetMetaData about = r.getMetaData();
        while (r.next()) {
            Map<String, Object> row = new LinkedHashMap<>();
            for (int i = 1; i <= about.getColumnCount(); i++) {
                row.put(about.getColumnLabel(i), value(r, i));
            }
            out.add(row);
        }
        return out;
    }

    static Object value(ResultSet r, int i) throws SQLException {
        switch (r.getMetaData().getColumnType(i)) {
            case java.sql.Types.TIMESTAMP:
            case java.sql.Types.TIMESTAMP_WITH_TIMEZONE:
                Timestamp at = r.getTimestamp(i, UTC);
                return String.format("%1$s.%2$06dZ", at.toInstant().toString().substring(0, 19), at.getNanos() / 1000);
            case java.sql.Types.ARRAY:
                return Arrays.asList((Object[]) r.getArray(i).getArray());
            default:
                return r.getObject(i);
        }
    }

    static String refusal(Connection c, String query) {
        try (Statement s = c.createStatement()) {
            s.execute(query);
            return "";
        } catch (SQLException e) {
            return e.getErrorCode() + " " + e.getMessage();
        }
    }

    static String json(Object v) {
        if (v == null || v instanceof Number || v instanceof Boolean) {
            return String.valueOf(v);
        }
        if (v instanceof Map<?, ?> m) {
            List<String> parts = new ArrayList<>();
            m.forEach((k, x) -> parts.add(json(String.valueOf(k)) + ":" + json(x)));
            return "{" + String.join(",", parts) + "}";
        }
        if (v instanceof List<?> l) {
            return "[" + String.join(",", l.stream().map(Query::json).toList()) + "]";
        }
        StringBuilder b = new StringBuilder("\"");
        for (char c : v.toString().toCharArray()) {
            if (c == '"' || c == '\\') {
                b.append('\\').append(c);
            } else if (c < ' ') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
