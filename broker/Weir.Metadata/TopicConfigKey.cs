using System.Globalization;
using System.Text;

namespace Weir.Metadata;

/// <summary>What kind of value a setting has.</summary>
public enum TopicConfigType
{
    /// <summary>One of some words.</summary>
    Choice,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A number of bytes.</summary>
    Bytes,

    /// <summary>A number of milliseconds.</summary>
    Milliseconds,

    /// <summary>Any text of bounded length; empty where it is not set.</summary>
    Text,
}

/// <summary>One topic setting: its key, type, default, range and meaning. What is parsed, described and documented is this.</summary>
public sealed class TopicConfigKey
{
    private const string Unlimited = "-1";
    private readonly string[] _choices = [];
    private readonly long _min;
    private readonly long _max;
    private readonly string? _word;

    private TopicConfigKey(string key, TopicConfigType type, string @default, string meaning, string[] choices)
    {
        Key = key;
        Type = type;
        Default = @default;
        Meaning = meaning;
        _choices = choices;
        Range = string.Join(", ", choices);
    }

    private TopicConfigKey(string key, TopicConfigType type, int maxBytes, string meaning)
        : this(key, type, string.Empty, meaning, [])
    {
        _max = maxBytes;
        Range = string.Create(CultureInfo.InvariantCulture, $"up to {maxBytes} bytes without control characters");
    }

    private TopicConfigKey(
        string key, TopicConfigType type, string @default, string meaning, long min, long max, string? word)
        : this(key, type, @default, meaning, [])
    {
        _min = min;
        _max = max;
        _word = word;
        var range = string.Create(CultureInfo.InvariantCulture, $"{min} to {max}");
        Range = word is null ? range : $"{word}, or {range}";
    }

    /// <summary>The key, as in <c>--config KEY=VALUE</c>.</summary>
    public string Key { get; }

    /// <summary>What kind of value it has.</summary>
    public TopicConfigType Type { get; }

    /// <summary>Value where it is not set.</summary>
    public string Default { get; }

    /// <summary>Which values are taken, for people.</summary>
    public string Range { get; }

    /// <summary>What it does.</summary>
    public string Meaning { get; }

    /// <summary>
    /// The one way to write a value, which is what is stored: a tool that compares what it asked for with what is described
    /// finds them equal. Null if the text is no value in range.
    /// </summary>
    public string? Normalize(string text)
    {
        if (Type == TopicConfigType.Choice)
        {
            return _choices.FirstOrDefault(choice => choice.Equals(text, StringComparison.OrdinalIgnoreCase));
        }

        if (Type == TopicConfigType.Text)
        {
            return Encoding.UTF8.GetByteCount(text) <= _max && !text.Any(char.IsControl) ? text : null;
        }

        if (text.Equals(_word, StringComparison.OrdinalIgnoreCase))
        {
            return _word;
        }

        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            return null;
        }

        return value >= _min && value <= _max
            ? value.ToString(CultureInfo.InvariantCulture)
            : null;
    }

    internal static TopicConfigKey Choice(string key, string[] choices, string meaning) =>
        new(key, TopicConfigType.Choice, choices[0], meaning, choices);

    /// <summary>A text of at most so many bytes in UTF-8, without control characters; by default it is empty.</summary>
    internal static TopicConfigKey Text(string key, int maxBytes, string meaning) =>
        new(key, TopicConfigType.Text, maxBytes, meaning);

    internal static TopicConfigKey Number(
        string key, TopicConfigType type, long @default, long min, long max, string meaning) =>
        new(key, type, @default.ToString(CultureInfo.InvariantCulture), meaning, min, max, word: null);

    /// <summary>A number with -1 for no bound, which is also the default.</summary>
    internal static TopicConfigKey Bound(string key, TopicConfigType type, long max, string meaning) =>
        new(key, type, Unlimited, meaning, 1, max, Unlimited);

    /// <summary>A number, or a word for one that follows from something else, which is also the default.</summary>
    internal static TopicConfigKey NumberOr(string key, string word, long min, long max, string meaning) =>
        new(key, TopicConfigType.Number, word, meaning, min, max, word);
}
