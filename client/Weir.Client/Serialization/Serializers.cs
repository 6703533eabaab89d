using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Weir.Client;

/// <summary>Turns values into bytes. Must be thread-safe.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public interface ISerializer<in T>
{
    /// <summary>Whether a value stands for null on the wire (no key, or a tombstone); then it is not serialized.</summary>
    bool IsNull(T value);

    /// <summary>Writes a value's bytes.</summary>
    void Serialize(T value, IBufferWriter<byte> target);
}

/// <summary>Turns bytes into values. Must be thread-safe.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public interface IDeserializer<out T>
{
    /// <summary>Reads a value.</summary>
    /// <param name="bytes">The bytes, valid during the call; null and empty differ on the wire, see <paramref name="isNull"/>.</param>
    /// <param name="isNull">Whether the record has null here; then <paramref name="bytes"/> is empty.</param>
    T Deserialize(ReadOnlySpan<byte> bytes, bool isNull);
}

/// <summary>The serializers that come with the client: no reflection, no state.</summary>
public static class Serializers
{
    /// <summary>Bytes as they are; null is null.</summary>
    public static BytesSerializer Bytes { get; } = new();

    /// <summary>Text as UTF-8; null is null.</summary>
    public static Utf8Serializer Utf8 { get; } = new();

    /// <summary>No key or value at all: writes null, reads and drops whatever is there.</summary>
    public static NullSerializer Null { get; } = new();

    /// <summary>JSON by source-generated type information; null is null.</summary>
    /// <typeparam name="T">Type of the values.</typeparam>
    public static JsonSerializer<T> Json<T>(JsonTypeInfo<T> type) => new(type);
}

/// <summary>Bytes as they are. Thread-safe.</summary>
public sealed class BytesSerializer : ISerializer<byte[]?>, IDeserializer<byte[]?>
{
    internal BytesSerializer()
    {
    }

    /// <inheritdoc/>
    public bool IsNull(byte[]? value) => value is null;

    /// <inheritdoc/>
    public void Serialize(byte[]? value, IBufferWriter<byte> target) => target.Write(value);

    /// <inheritdoc/>
    public byte[]? Deserialize(ReadOnlySpan<byte> bytes, bool isNull) => isNull ? null : bytes.ToArray();
}

/// <summary>Text as UTF-8. Thread-safe.</summary>
public sealed class Utf8Serializer : ISerializer<string?>, IDeserializer<string?>
{
    internal Utf8Serializer()
    {
    }

    /// <inheritdoc/>
    public bool IsNull(string? value) => value is null;

    /// <inheritdoc/>
    public void Serialize(string? value, IBufferWriter<byte> target) => Encoding.UTF8.GetBytes(value, target);

    /// <inheritdoc/>
    public string? Deserialize(ReadOnlySpan<byte> bytes, bool isNull) => isNull ? null : Encoding.UTF8.GetString(bytes);
}

/// <summary>Nothing. Thread-safe.</summary>
public sealed class NullSerializer : ISerializer<object?>, IDeserializer<object?>
{
    internal NullSerializer()
    {
    }

    /// <inheritdoc/>
    public bool IsNull(object? value) => true;

    /// <inheritdoc/>
    public void Serialize(object? value, IBufferWriter<byte> target)
    {
    }

    /// <inheritdoc/>
    public object? Deserialize(ReadOnlySpan<byte> bytes, bool isNull) => null;
}

/// <summary>JSON by source-generated type information. Thread-safe.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public sealed class JsonSerializer<T> : ISerializer<T?>, IDeserializer<T?>
{
    private readonly JsonTypeInfo<T> _type;

    internal JsonSerializer(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        _type = type;
    }

    /// <inheritdoc/>
    public bool IsNull(T? value) => value is null;

    /// <inheritdoc/>
    public void Serialize(T? value, IBufferWriter<byte> target)
    {
        using var writer = new Utf8JsonWriter(target);
        JsonSerializer.Serialize(writer, value!, _type);
    }

    /// <inheritdoc/>
    public T? Deserialize(ReadOnlySpan<byte> bytes, bool isNull) =>
        isNull ? default : JsonSerializer.Deserialize(bytes, _type);
}
