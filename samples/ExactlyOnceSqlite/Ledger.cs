using Microsoft.Data.Sqlite;

namespace Weir.Samples.ExactlyOnceSqlite;

/// <summary>
/// Balances of accounts, and beside them how far each partition was read and by which owner. Both change in one transaction:
/// a payment is in the balance exactly if the position is behind it.
/// </summary>
internal sealed class Ledger : IDisposable
{
    private readonly SqliteConnection _database;

    public Ledger(string file)
    {
        _database = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, DefaultTimeout = 60 }.ToString());
        _database.Open();

        // WAL with NORMAL outlives the death of the process; FULL outlives the loss of power too.
        Execute(null, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
        Execute(
            null,
            """
            CREATE TABLE IF NOT EXISTS balance (account TEXT PRIMARY KEY, cents INTEGER NOT NULL, payments INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS position (
                topic TEXT, partition INTEGER, next INTEGER NOT NULL, token INTEGER NOT NULL, PRIMARY KEY (topic, partition));
            """);
    }

    /// <summary>This owner begins with a partition: owners with a smaller token are refused from here on.</summary>
    /// <returns>Where it goes on; null if nobody has read the partition yet.</returns>
    public long? Claim(string topic, int partition, int token)
    {
        using var transaction = _database.BeginTransaction();
        Execute(
            transaction,
            """
            INSERT INTO position VALUES ($topic, $partition, -1, $token)
            ON CONFLICT DO UPDATE SET token = max(token, excluded.token)
            """,
            ("$topic", topic), ("$partition", partition), ("$token", token));
        using var query = Command(
            transaction, "SELECT next FROM position WHERE topic = $topic AND partition = $partition",
            ("$topic", topic), ("$partition", partition));
        var next = (long)query.ExecuteScalar()!;
        transaction.Commit();
        return next < 0 ? null : next;
    }

    /// <summary>Books a payment, unless it is booked or the partition has another owner by now.</summary>
    public void Book(string topic, int partition, long offset, int token, string account, long cents)
    {
        using var transaction = _database.BeginTransaction();
        var isMine = Execute(
            transaction,
            """
            UPDATE position SET next = $offset + 1
            WHERE topic = $topic AND partition = $partition AND token = $token AND next <= $offset
            """,
            ("$topic", topic), ("$partition", partition), ("$token", token), ("$offset", offset)) == 1;
        if (isMine)
        {
            Execute(
                transaction,
                """
                INSERT INTO balance VALUES ($account, $cents, 1)
                ON CONFLICT DO UPDATE SET cents = cents + excluded.cents, payments = payments + 1
                """,
                ("$account", account), ("$cents", cents));
            transaction.Commit();
        }
    }

    /// <summary>Every account, by name.</summary>
    public IEnumerable<(string Account, long Cents, long Payments)> Balances()
    {
        using var query = Command(null, "SELECT account, cents, payments FROM balance ORDER BY account");
        using var rows = query.ExecuteReader();
        while (rows.Read())
        {
            yield return (rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2));
        }
    }

    public void Dispose() => _database.Dispose();

    private int Execute(SqliteTransaction? transaction, string sql, params (string Name, object Value)[] parameters)
    {
        using var command = Command(transaction, sql, parameters);
        return command.ExecuteNonQuery();
    }

    private SqliteCommand Command(SqliteTransaction? transaction, string sql, params (string Name, object Value)[] parameters)
    {
        var command = _database.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}
