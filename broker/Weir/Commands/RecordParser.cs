using System.Text;
using System.Text.Json;
using Weir.Cli.Output;

namespace Weir.Cli.Commands;

/// <summary>How the lines of an input become records.</summary>
internal enum InputFormat
{
    /// <summary>A line is a value; with a separator, a key before its first occurrence.</summary>
    Lines,

    /// <summary>A line is a JSON object and the value; with a field, that field's value is the key.</summary>
    Json,
}

/// <summary>Turns a line into key and value.</summary>
internal sealed class RecordParser(InputFormat format, string? key)
{
    private readonly byte[]? _key = key is null ? null : Encoding.UTF8.GetBytes(Unescape(key));

    /// <exception cref="UsageException">The line has no key where one is asked for, or is no JSON object.</exception>
    public (ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte> Value) Parse(ReadOnlyMemory<byte> line, long number) =>
        _key is null ? (null, line)
        : format == InputFormat.Lines ? Split(line, number)
        : (FindField(line.Span, number), line);

    private static string Unescape(string text) => text == "\\t" ? "\t" : text;

    private (ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte> Value) Split(ReadOnlyMemory<byte> line, long number)
    {
        var found = line.Span.IndexOf(_key);
        return found >= 0
            ? (line[..found], line[(found + _key!.Length)..])
            : throw new UsageException($"line {number} has no '{key}' after a key");
    }

    private ReadOnlyMemory<byte> FindField(ReadOnlySpan<byte> line, long number)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var isKey = reader.ValueTextEquals(_key);
                    reader.Read();
                    if (isKey)
                    {
                        return ReadValue(line, ref reader);
                    }

                    reader.Skip();
                }
            }
        }
        catch (JsonException e)
        {
            throw new UsageException($"line {number} is not JSON: {e.Message}");
        }

        throw new UsageException($"line {number} has no field '{key}'");
    }

    private static byte[] ReadValue(ReadOnlySpan<byte> line, ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return Encoding.UTF8.GetBytes(reader.GetString()!);
        }

        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return line[start..(int)reader.BytesConsumed].ToArray();
    }
}
